import type { Message } from "@stagecraft/tokenizer";
import { RecordProblem } from "../../bad-records.js";

const TURN = /\n\n(Human|Assistant):/;

/** Whether a text is a transcript in the wording of HH-RLHF. */
export function isTranscript(value: unknown): value is string {
  return typeof value === "string" && /^\s*Human:/.test(value);
}

/**
 * The turns of a transcript, `\n\nHuman: …\n\nAssistant: …`, without the space after each colon. A
 * last turn of the assistant may be empty: there the answer begins.
 */
export function transcriptMessages(text: string, name: string): Message[] {
  const [before, ...parts] = `\n\n${text.trimStart()}`.split(TURN);
  if (before !== "") throw new RecordProblem(`"${name}" does not begin with a turn`);
  const messages: Message[] = [];
  for (let i = 0; i < parts.length; i += 2) {
    const role = parts[i] === "Human" ? "user" : "assistant";
    messages.push({ role, content: parts[i + 1]!.replace(/^ /, "") });
  }
  return messages;
}

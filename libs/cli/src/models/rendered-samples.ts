import type {
  CheckedKind,
  Conversation,
  FileReport,
  PromptRecord,
  Ranking,
} from "@stagecraft/data";
import { renderChat, type Message, type Tokenizer } from "@stagecraft/tokenizer";
import { markedText } from "./marked-text.js";

/** A record as a model reads it. */
export interface RenderedSample {
  /** What is learnt of a demonstration stands between ⟦ and ⟧. */
  text: string;
  numTokens: number;
}

/**
 * The first records of a file as a model reads them: demonstrations with what is learnt, the first answer
 * of a ranking, prompts with what an answer follows. Texts of a corpus are not rendered.
 */
export function renderedSamples(
  tokenizer: Tokenizer,
  { kind, kinds }: FileReport,
): RenderedSample[] {
  if (kind === undefined || kind === "texts") return [];
  return kinds[kind].samples.map((sample) => rendered(tokenizer, kind, sample));
}

function rendered(
  tokenizer: Tokenizer,
  kind: Exclude<CheckedKind, "texts">,
  sample: unknown,
): RenderedSample {
  const options = { addGenerationPrompt: kind === "prompts" };
  const chat = renderChat(tokenizer, messagesOf(kind, sample), options);
  const mask = kind === "conversations" ? [...chat.assistantMask] : undefined;
  const marked = { text: chat.text, ids: [...chat.ids], ...(mask && { mask }) };
  return { text: markedText(tokenizer, marked), numTokens: chat.ids.length };
}

function messagesOf(kind: Exclude<CheckedKind, "texts">, sample: unknown): Message[] {
  if (kind !== "rankings") return (sample as Conversation | PromptRecord).messages;
  const { prompt, answers } = sample as Ranking;
  return [...prompt, { role: "assistant", content: answers[0]! }];
}

import { present } from "@stagecraft/core";
import { RecordProblem } from "./bad-records.js";
import { messagesOf, objectOf, optionalString, stringList, type Fields } from "./fields.js";
import { readRecords } from "./jsonl.js";
import type { PromptRecord, RecordOptions } from "./types.js";

/**
 * Requests from .jsonl(.gz) files or folders of them: `{id?, kind?, messages, reference?,
 * accepted?}`, or `{prompt: "text"}` for one message of the user. A missing id becomes "line-N".
 * @throws `invalid_argument` with file and line when more than `maxBadRecords` are malformed
 */
export function readPrompts(
  paths: string | readonly string[],
  options: RecordOptions = {},
): AsyncGenerator<PromptRecord> {
  return readRecords(paths, (value, { line }) => [parsePrompt(objectOf(value), line)], options);
}

function parsePrompt(fields: Fields, line: number): PromptRecord {
  const { prompt, accepted } = fields;
  const messages =
    typeof prompt === "string" && fields["messages"] === undefined
      ? [{ role: "user" as const, content: prompt }]
      : messagesOf(fields["messages"], "messages");
  if (messages.at(-1)!.role !== "user") {
    throw new RecordProblem(`"messages" of a prompt must end with a message of the user`);
  }
  return {
    id: optionalString(fields, "id") ?? `line-${line}`,
    messages,
    ...present({
      kind: optionalString(fields, "kind"),
      reference: optionalString(fields, "reference"),
      accepted: accepted == null ? undefined : stringList(accepted, "accepted"),
    }),
  };
}

import { present } from "@stagecraft/core";
import type { Message } from "@stagecraft/tokenizer";
import { RecordProblem } from "../../bad-records.js";
import type { PromptRecord } from "../../types.js";
import { has, optionalString, promptMessages, stringList, type Fields } from "./fields.js";
import type { RecordFormat } from "./record-format.js";

/** `{prompt, reference?, accepted?}`: a prompt, as a text or as messages. */
export const promptFormat: RecordFormat = {
  name: "prompt",
  matches: (fields) => has(fields, "prompt"),
  prompts: (fields, id) => [promptRecord(fields, id, promptMessages(fields["prompt"], "prompt"))],
};

/** A prompt of these messages, with what else the record says about it. */
export function promptRecord(fields: Fields, id: string, messages: Message[]): PromptRecord {
  if (messages.at(-1)!.role !== "user") {
    throw new RecordProblem(`"messages" of a prompt must end with a message of the user`);
  }
  const { accepted } = fields;
  return {
    id: optionalString(fields, "id") ?? id,
    messages,
    ...present({
      kind: optionalString(fields, "kind"),
      reference: optionalString(fields, "reference"),
      accepted: accepted == null ? undefined : stringList(accepted, "accepted"),
    }),
  };
}

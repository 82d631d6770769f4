import { RecordProblem } from "../../bad-records.js";
import { conversationOf } from "./conversation.js";
import { has, promptMessages, type Fields } from "./fields.js";
import type { RecordFormat } from "./record-format.js";

/**
 * `{prompt, completion}`, each a text or messages: only the completion is learnt, answers inside of the
 * prompt are context.
 */
export const promptCompletionFormat: RecordFormat = {
  name: "prompt-completion",
  matches: (fields) => has(fields, "prompt") && has(fields, "completion"),
  conversations(fields) {
    const context = promptMessages(fields["prompt"], "prompt").map((message) =>
      message.role === "assistant" ? { ...message, weight: 0 } : message,
    );
    return [conversationOf(fields, [...context, ...completionOf(fields)], "prompt + completion")];
  },
};

function completionOf(fields: Fields): unknown[] {
  const { completion } = fields;
  if (typeof completion === "string") return [{ role: "assistant", content: completion }];
  if (Array.isArray(completion)) return completion;
  throw new RecordProblem(`"completion" must be a text or a list of messages`);
}

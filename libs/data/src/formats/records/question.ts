import { conversationOf, withSystem } from "./conversation.js";
import { has, optionalString, stringField } from "./fields.js";
import { promptRecord } from "./prompt.js";
import type { RecordFormat } from "./record-format.js";

/** `{question, answer?}`, as GSM8K has them; as a prompt, the answer is its reference. */
export const questionFormat: RecordFormat = {
  name: "question",
  matches: (fields) => has(fields, "question"),
  conversations(fields) {
    const turns = [
      { role: "user", content: stringField(fields, "question") },
      { role: "assistant", content: stringField(fields, "answer") },
    ];
    return [conversationOf(fields, turns, "question + answer")];
  },
  prompts(fields, id) {
    const content = stringField(fields, "question");
    const reference = optionalString(fields, "reference") ?? optionalString(fields, "answer");
    const messages = withSystem(fields, [{ role: "user", content }]);
    return [promptRecord({ ...fields, reference }, id, messages)];
  },
};

import { has, stringField } from "./fields.js";
import { promptRecord } from "./prompt.js";
import type { RecordFormat } from "./record-format.js";

/** `{text}`: one message of the user. */
export const textPromptFormat: RecordFormat = {
  name: "text",
  matches: (fields) => has(fields, "text"),
  prompts(fields, id) {
    return [promptRecord(fields, id, [{ role: "user", content: stringField(fields, "text") }])];
  },
};

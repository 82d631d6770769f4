import { alpacaFormat } from "./alpaca.js";
import { has, optionalString, type Fields } from "./fields.js";
import type { RecordFormat } from "./record-format.js";

/** `{instruction, context?, response, category?}`: Dolly's words for Alpaca's fields. */
export const dollyFormat: RecordFormat = {
  name: "dolly",
  matches: (fields) => has(fields, "instruction") && has(fields, "response"),
  conversations: (fields) => alpacaFormat.conversations!(asAlpaca(fields)),
  prompts: (fields, id) => alpacaFormat.prompts!(asAlpaca(fields), id),
};

function asAlpaca(fields: Fields): Fields {
  const { context, response } = fields;
  const kind = optionalString(fields, "kind") ?? optionalString(fields, "category");
  return { ...fields, input: context, output: response, kind };
}

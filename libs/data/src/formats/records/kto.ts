import { RecordProblem } from "../../bad-records.js";
import { has, promptMessages } from "./fields.js";
import { promptRecord } from "./prompt.js";
import type { RecordFormat } from "./record-format.js";

const REFUSAL =
  `a record with "completion" and "label" (KTO) judges one answer by itself: it compares nothing, and ` +
  `its bad answers are no demonstrations; make pairs of it, or keep those with label true and without "label"`;

/** `{prompt, completion, label}`: one answer and whether it is good. Only its prompts are of use here. */
export const ktoFormat: RecordFormat = {
  name: "kto",
  matches: (fields) => has(fields, "completion") && has(fields, "label"),
  conversations: () => refuse(),
  rankings: () => refuse(),
  prompts: (fields, id) => [promptRecord(fields, id, promptMessages(fields["prompt"], "prompt"))],
};

function refuse(): never {
  throw new RecordProblem(REFUSAL);
}

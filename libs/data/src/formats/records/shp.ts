import { RecordProblem } from "../../bad-records.js";
import { has, labelsOf, stringField } from "./fields.js";
import { promptRecord } from "./prompt.js";
import type { RecordFormat } from "./record-format.js";

/**
 * `{history, human_ref_A, human_ref_B, labels}`: Stanford Human Preferences; `labels` is 1 when A is
 * preferred and 0 when B is. Its scores are votes and no ratings; they are not read.
 */
export const shpFormat: RecordFormat = {
  name: "shp",
  matches: (fields) => has(fields, "human_ref_A") && has(fields, "human_ref_B"),
  rankings(fields) {
    const { labels } = fields;
    if (labels !== 0 && labels !== 1) {
      throw new RecordProblem(`"labels" must be 1 (A is preferred) or 0 (B is)`);
    }
    const answers = [stringField(fields, "human_ref_A"), stringField(fields, "human_ref_B")];
    const prompt = [{ role: "user" as const, content: stringField(fields, "history") }];
    return [{ prompt, answers, ranks: labels === 1 ? [1, 2] : [2, 1], ...labelsOf(fields) }];
  },
  prompts: (fields, id) => [
    promptRecord(fields, id, [{ role: "user", content: stringField(fields, "history") }]),
  ],
};

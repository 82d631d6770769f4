import { RecordProblem } from "../../bad-records.js";
import type { Ranking } from "../../types.js";
import { has, labelsOf, objectOf, stringField, type Fields } from "./fields.js";
import { promptRecord } from "./prompt.js";
import { parseRanking } from "./ranking.js";
import type { RecordFormat } from "./record-format.js";

/** `{instruction, completions: [{response, overall_score, …}, …]}`: UltraFeedback with all its answers. */
export const ultraFeedbackFormat: RecordFormat = {
  name: "ultrafeedback",
  matches: (fields) => has(fields, "instruction") && has(fields, "completions"),
  rankings: (fields) => [rankingOf(fields)],
  prompts: (fields, id) => [
    promptRecord(fields, id, [{ role: "user", content: stringField(fields, "instruction") }]),
  ],
};

function rankingOf(fields: Fields): Ranking {
  const { completions } = fields;
  if (!Array.isArray(completions)) throw new RecordProblem(`"completions" must be a list`);
  const given = completions.map((value, i) => objectOf(value, `completions[${i}]`));
  const scores = given.map((completion, i) => {
    const score = completion["overall_score"];
    if (Number.isFinite(score)) return score as number;
    throw new RecordProblem(`completions[${i}].overall_score must be a number`);
  });
  return parseRanking({
    ...labelsOf(fields),
    prompt: stringField(fields, "instruction"),
    answers: given.map((completion) => stringField(completion, "response")),
    ranks: ranksOf(scores),
    scores,
  });
}

/** 1 for the highest score; equal scores tie. */
export function ranksOf(scores: readonly number[]): number[] {
  return scores.map((score) => 1 + scores.filter((other) => other > score).length);
}

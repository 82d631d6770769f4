import { present } from "@stagecraft/core";
import { RecordProblem } from "../../bad-records.js";
import type { Ranking } from "../../types.js";
import {
  fieldsOf,
  has,
  numberList,
  objectOf,
  optionalString,
  promptMessages,
  stringList,
  type Fields,
} from "./fields.js";
import type { RecordFormat } from "./record-format.js";

const MIN_ANSWERS = 2;
/** Answers that a ranking compares at most [IG: K from 4 to 9]. */
export const MAX_ANSWERS = 9;

/** `{prompt, answers, ranks, scores?, …}`: our own, with everything that labelers say. */
export const rankingFormat: RecordFormat = {
  name: "ranking",
  matches: (fields) => has(fields, "ranks") || has(fields, "answers"),
  rankings: (fields) => [parseRanking(fields)],
};

/** The ranking with only its known fields. */
export function parseRanking(fields: Fields): Ranking {
  const missing = ["prompt", "answers", "ranks"].filter((name) => !has(fields, name));
  if (missing.length > 0) {
    const names = missing.map((name) => `"${name}"`).join(" and ");
    throw new RecordProblem(`a ranking needs ${names} (docs/data.md); ${fieldsOf(fields)}`);
  }
  const prompt = promptMessages(fields["prompt"], "prompt");
  if (prompt.at(-1)!.role !== "user") {
    throw new RecordProblem(`"prompt" must end with a message of the user`);
  }
  const answers = stringList(fields["answers"], "answers");
  if (answers.length < MIN_ANSWERS || answers.length > MAX_ANSWERS) {
    throw new RecordProblem(
      `"answers" has ${answers.length} answers; a ranking compares ${MIN_ANSWERS} to ${MAX_ANSWERS}`,
    );
  }
  const ranks = numberList(fields["ranks"], "ranks", answers.length);
  if (!ranks.every((rank) => Number.isInteger(rank) && rank >= 1 && rank <= answers.length)) {
    throw new RecordProblem(`"ranks" must be whole numbers from 1 (best) to ${answers.length}`);
  }
  const scores = fields["scores"];
  return {
    prompt,
    answers,
    ranks,
    ...present({
      id: optionalString(fields, "id"),
      kind: optionalString(fields, "kind"),
      rater: optionalString(fields, "rater"),
      scores: scores == null ? undefined : numberList(scores, "scores", answers.length),
      criteria: criteriaOf(fields["criteria"], answers.length),
    }),
  };
}

function criteriaOf(value: unknown, length: number): Record<string, number[]> | undefined {
  if (value === undefined || value === null) return undefined;
  const entries = Object.entries(objectOf(value, `"criteria"`));
  return Object.fromEntries(
    entries
      .filter(([, scores]) => scores !== null)
      .map(([name, scores]) => [name, numberList(scores, `criteria.${name}`, length)]),
  );
}

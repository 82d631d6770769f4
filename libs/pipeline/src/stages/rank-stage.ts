import { join } from "node:path";
import { flag, text, whole } from "@stagecraft/fields";
import { z } from "zod";
import { StagecraftError } from "@stagecraft/core";
import { MAX_ANSWERS, writeRankings, type Ranking } from "@stagecraft/data";
import { type AnswerSet } from "@stagecraft/learn";
import { dataInputs, defineStage } from "@stagecraft/runs";
import { readAnswers } from "../ranking/answers.js";
import { chrf } from "../ranking/chrf.js";
import { ranksOf } from "../ranking/rank-by-score.js";

const schema = z.strictObject({
  answers: text().describe("Sampled answers (JSONL), as `collect` writes them"),
  addReference: flag(true).describe("The ideal answer takes part, and wins"),
  seed: whole({ default: 1 }).describe("Not used: the ranking is deterministic"),
});

/**
 * Ranks answers by how close they come to the prompt's reference (chrF). It stands in for people
 * where there are none: it knows one right answer and no other, so use people's rankings if you can.
 */
export const rankStage = defineStage<z.infer<typeof schema>>({
  name: "rank",
  summary: "rank sampled answers by closeness to the reference, in place of people",
  schema,
  examples: [],
  inputs: ({ answers }) => dataInputs({ answers: [answers] }),
  problems: ({ answers, addReference }, ahead) =>
    Promise.resolve(countProblems(ahead.of(answers)?.answersPerPrompt, addReference)),
  outputs: () => Promise.resolve({ rankings: {} }),
  leaves: { "rankings.jsonl": "work" },
  async work(config, { run }) {
    const answers = await readAnswers(config.answers);
    const rankings = answers.map((set) => rankByReference(set, config));
    const file = join(run.dir, "rankings.jsonl");
    await writeRankings(file, rankings);
    return { outputs: { rankings: file }, metrics: { rankings: rankings.length } };
  },
});

/** More answers than a ranking holds; undefined = how many is not known. */
function countProblems(sampled: number | undefined, addReference: boolean): string[] {
  if (sampled === undefined || sampled + (addReference ? 1 : 0) <= MAX_ANSWERS) return [];
  const both = addReference ? `${sampled} sampled answers and the reference` : `${sampled} answers`;
  const advice = addReference ? ", or set addReference to false" : "";
  return [
    `${both} are more than the ${MAX_ANSWERS} that a ranking compares; lower samplesPerPrompt${advice}`,
  ];
}

/** Throws failed_precondition for a prompt without a reference. */
export function rankByReference(
  { id, kind, prompt, answers, reference }: Omit<AnswerSet, "finishReasons">,
  { addReference }: { addReference: boolean },
): Ranking {
  if (reference === undefined) {
    throw new StagecraftError(
      "failed_precondition",
      `prompt ${id} has no reference to rank by; give its prompt record a "reference", or let people rank`,
    );
  }
  const all = addReference ? [...answers, reference] : answers;
  const scores = all.map((answer) => chrf(answer, reference));
  const names = { id, ...(kind !== undefined && { kind }) };
  return { ...names, prompt, answers: all, ranks: ranksOf(scores), scores, rater: "chrF" };
}

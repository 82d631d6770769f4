import { StagecraftError } from "@stagecraft/core";
import type { RolloutSample } from "./rollout-source.js";

/** What an ensemble's disagreement is called among an answer's other scores, after its source. */
const UNCERTAINTY = ".uncertainty";
const NGRAM = 3;

export interface ScoreCombination {
  /** Factor on the reward model's score and its uncertainty. */
  scale: number;
  /** The reward model's mean score of the reference answers, which becomes 0 [IG]; default 0. */
  zero?: number;
  /** λ: the score is mean − λ·std over the members of an ensemble (Coste et al. 2023). */
  uncertaintyPenalty: number;
  /** Weights of other scores: names of `extraScores`, or of the programmatic ones. */
  weights: ReadonlyMap<string, number>;
}

/** `responseIds`: what the policy wrote. */
type ScoredAnswer = Pick<RolloutSample, "score" | "extraScores" | "taskId"> & {
  responseIds: Int32Array;
};

/** Scores that need no model, in the answer's tokens. */
const PROGRAMMATIC: Readonly<Record<string, (ids: Int32Array, hasEos: boolean) => number>> = {
  /** Tokens. */
  length: (ids) => ids.length,
  /** 1 when the answer ended by itself. */
  ended: (_, hasEos) => (hasEos ? 1 : 0),
  /** Share of three-token stretches that occurred before in the answer, 0 to 1. */
  repetition: repetitionOf,
};

/**
 * What PPO learns from: scale·(score − zero − λ·uncertainty) + Σ weight·other score. Throws
 * `failed_precondition` when a weighted score did not come with the answer.
 */
export function combineAnswerScores(
  answer: ScoredAnswer,
  hasEos: boolean,
  { scale, zero = 0, uncertaintyPenalty, weights }: ScoreCombination,
): number {
  const { score, extraScores = {}, responseIds, taskId } = answer;
  const uncertainty = Object.entries(extraScores)
    .filter(([name]) => name.endsWith(UNCERTAINTY))
    .reduce((sum, [, value]) => sum + value, 0);
  let total = scale * (score - zero - uncertaintyPenalty * uncertainty);
  for (const [name, weight] of weights) {
    const value = own(extraScores, name) ?? own(PROGRAMMATIC, name)?.(responseIds, hasEos);
    if (value === undefined) throw missing(name, Object.keys(extraScores), taskId);
    total += weight * value;
  }
  return total;
}

/** `["length=-0.01", "helpful=0.5"]` as a map; the config's schema has checked the form. */
export function parseScoreWeights(entries: readonly string[]): Map<string, number> {
  return new Map(
    entries.map((entry) => {
      const at = entry.lastIndexOf("=");
      return [entry.slice(0, at), Number(entry.slice(at + 1))];
    }),
  );
}

/** Names are anybody's: "constructor" is no score. */
function own<T>(record: Readonly<Record<string, T>>, name: string): T | undefined {
  return Object.hasOwn(record, name) ? record[name] : undefined;
}

function repetitionOf(ids: Int32Array): number {
  const seen = new Set<string>();
  const total = Math.max(0, ids.length - NGRAM + 1);
  for (let t = 0; t < total; t++) seen.add(ids.subarray(t, t + NGRAM).join());
  return total === 0 ? 0 : 1 - seen.size / total;
}

function missing(name: string, present: readonly string[], taskId: string): StagecraftError {
  const known = [...present, ...Object.keys(PROGRAMMATIC)].join(", ");
  return new StagecraftError(
    "failed_precondition",
    `scoreWeights names "${name}", the answer to ${taskId} has ${known}; serve a reward model of that name or correct the name`,
    { details: { taskId } },
  );
}

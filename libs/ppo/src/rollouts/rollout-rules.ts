import { isLogProb, LOG_PROB_RANGE, StagecraftError } from "@stagecraft/core";
import { trainedIds } from "../batch/layout.js";
import { combineAnswerScores, type ScoreCombination } from "./combine-scores.js";
import type { PromptTask, RolloutSample } from "./rollout-source.js";
import { cutAfterLastTurn, type RolloutSegment } from "./segments.js";

/** What the optimizer takes. */
export interface RolloutRules {
  /** Ids below it have an embedding and a token. */
  vocabSize: number;
  /** Largest absolute value of each score of an answer. */
  maxScore: number;
  /** How an answer's scores become one. */
  scores: ScoreCombination;
  /** Tokens that end an answer. */
  endIds: readonly number[];
}

/**
 * Why the optimizer must not see an answer to a task; undefined when it may. The one place that
 * decides it: sources ask it of every answer that arrives, so that a bad one is refused and its task
 * asked again; the loop asks it once more of sources that did not.
 */
export function rolloutProblem(
  sample: RolloutSample,
  task: PromptTask,
  rules: RolloutRules,
): string | undefined {
  return (
    shapeProblem(sample, task, rules.endIds) ??
    tokenProblem(sample, rules.vocabSize) ??
    scoreProblem(sample, rules)
  );
}

function shapeProblem(
  { segments }: RolloutSample,
  task: PromptTask,
  endIds: readonly number[],
): string | undefined {
  const [prompt, ...rest] = segments;
  if (!prompt || prompt.trained || !equalIds(prompt.ids, task.promptIds)) {
    return "its prompt is not the task's";
  }
  const turns = rest.filter(({ trained }) => trained);
  if (turns.length === 0) return "the answer has no token";
  const inTurn = turns.map((turn) => turnProblem(turn, task)).find(Boolean);
  if (inTurn) return inTurn;
  const unended = turns.slice(0, -1).find(({ ids }) => ids.subarray(0, -1).some(isOneOf(endIds)));
  return unended && "a turn before the last goes on after its end token";
}

function turnProblem(
  { ids, logProbs, weightVersions }: RolloutSegment,
  { sampling: { maxNewTokens } }: PromptTask,
): string | undefined {
  const { length } = ids;
  if (length === 0) return "the answer has no token";
  if (length > maxNewTokens)
    return `the answer has ${length} tokens, the task allows ${maxNewTokens}`;
  if (logProbs.length === length && weightVersions.length === length) return undefined;
  return `${length} tokens with ${logProbs.length} log-probs and ${weightVersions.length} weight versions`;
}

function tokenProblem({ segments }: RolloutSample, vocabSize: number): string | undefined {
  for (const { ids, logProbs } of segments) {
    const outside = ids.find((id) => id < 0 || id >= vocabSize);
    if (outside !== undefined) {
      return `token id ${outside} is outside the vocabulary of ${vocabSize}`;
    }
    const bad = logProbs.find((value) => !isLogProb(value));
    if (bad !== undefined) return `a log-prob is ${bad}, must be ${LOG_PROB_RANGE}`;
  }
  return undefined;
}

function scoreProblem(
  sample: RolloutSample,
  { maxScore, scores, endIds }: RolloutRules,
): string | undefined {
  const named = { "its score": sample.score, ...prefixed(sample.extraScores) };
  const high = Object.entries(named).find(([, value]) => !(Math.abs(value) <= maxScore));
  if (high) return `${high[0]} is ${high[1]}, the limit is ${maxScore}; maxScore raises it`;
  const { hasEos, ...tokens } = cutAfterLastTurn(sample.segments, endIds);
  try {
    const answer = { ...sample, responseIds: trainedIds(tokens) };
    const total = combineAnswerScores(answer, hasEos, scores);
    return Number.isFinite(Math.fround(total)) ? undefined : `its scores make ${total}`;
  } catch (thrown) {
    return StagecraftError.from(thrown).reason;
  }
}

function prefixed(scores: Readonly<Record<string, number>> = {}): Record<string, number> {
  return Object.fromEntries(
    Object.entries(scores).map(([name, value]) => [`its score ${JSON.stringify(name)}`, value]),
  );
}

function equalIds(a: Int32Array, b: Int32Array): boolean {
  return a.length === b.length && a.every((id, i) => id === b[i]);
}

function isOneOf(ids: readonly number[]): (id: number) => boolean {
  return (id) => ids.includes(id);
}

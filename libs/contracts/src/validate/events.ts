import type {
  PromptTask,
  Rollout,
  ScorePart,
  WeightsPublished,
} from "../gen/stagecraft/events/v1/events.js";
import {
  checkAligned,
  checkFinite,
  checkLength,
  checkName,
  checkNumbers,
  invalidField,
} from "./check.js";
import {
  parseConversation,
  parseSampling,
  parseTokens,
  parseWeightVersion,
  type ChatMessage,
  type ParsedSampling,
  type ParsedWeights,
  type TokenLimits,
} from "./common.js";
import { finishReasonName, type FinishReasonName } from "./finish-reason.js";

/** A checked prompt task. */
export interface ParsedPromptTask {
  taskId: string;
  runId: string;
  promptId: string;
  messages: ChatMessage[];
  promptIds: Int32Array;
  sampling: ParsedSampling;
  minWeightVersion: number;
  traceparent: string;
  attempt: number;
}

/** A checked rollout; `logProbs` and `weightVersions` are aligned with `responseIds`. */
export interface ParsedRollout {
  rolloutId: string;
  taskId: string;
  runId: string;
  promptId: string;
  promptIds: Int32Array;
  responseIds: Int32Array;
  logProbs: Float32Array;
  weightVersions: Int32Array;
  finishReason: FinishReasonName;
  score: number;
  /** `source@version` of every part that counts, joined with "+". */
  rewardModelVersion: string;
  /** Scores that do not count (weight 0), by source. */
  extraScores: Record<string, number>;
  weights: ParsedWeights[];
  workerId: string;
  traceparent: string;
}

/** A checked announcement of weights. */
export interface ParsedWeightsPublished {
  runId: string;
  weights: ParsedWeights;
}

const MAX_LOG_PROB = 1e-3;

/** Checks a prompt task. An empty conversation is allowed: some prompts are plain tokens. */
export function parsePromptTask(task: PromptTask, limits: TokenLimits = {}): ParsedPromptTask {
  const hasMessages = (task.conversation?.messages.length ?? 0) > 0;
  return {
    taskId: checkName(task.taskId, "task_id"),
    runId: checkName(task.runId, "run_id"),
    promptId: task.promptId,
    messages: hasMessages ? parseConversation(task.conversation, "conversation") : [],
    promptIds: parseTokens(task.prompt, "prompt", limits),
    sampling: parseSampling(task.sampling, "sampling"),
    minWeightVersion: task.minWeightVersion,
    traceparent: task.traceparent,
    attempt: Math.max(1, task.attempt),
  };
}

/**
 * Checks a rollout by itself: aligned lists, finite numbers, every version of a token listed with
 * its hash. Whether hash and task are the run's own is the trainer's to check.
 */
export function parseRollout(rollout: Rollout, limits: TokenLimits = {}): ParsedRollout {
  const responseIds = parseTokens(rollout.response, "response", limits);
  const aligned = { length: responseIds.length, like: "response.ids" };
  checkAligned(rollout.logProbs, "log_probs", aligned);
  checkAligned(rollout.weightVersions, "weight_versions", aligned);
  checkLength(rollout.scoreParts, "score_parts", 1, 64);
  const weights = rollout.weights.map((w, i) => parseWeightVersion(w, `weights[${i}]`));
  checkVersionsListed(rollout.weightVersions, weights);
  return {
    rolloutId: checkName(rollout.rolloutId, "rollout_id"),
    taskId: checkName(rollout.taskId, "task_id"),
    runId: checkName(rollout.runId, "run_id"),
    promptId: rollout.promptId,
    promptIds: parseTokens(rollout.prompt, "prompt", limits),
    responseIds,
    logProbs: checkNumbers(rollout.logProbs, "log_probs", MAX_LOG_PROB),
    weightVersions: Int32Array.from(rollout.weightVersions),
    finishReason: finishReasonName(rollout.finishReason, "finish_reason"),
    score: checkFinite(rollout.score, "score"),
    ...parseScoreParts(rollout.scoreParts),
    weights,
    workerId: rollout.workerId,
    traceparent: rollout.traceparent,
  };
}

function parseScoreParts(
  parts: readonly ScorePart[],
): Pick<ParsedRollout, "rewardModelVersion" | "extraScores"> {
  parts.forEach((part, i) => checkFinite(part.value * part.weight, `score_parts[${i}]`));
  const [counting, extra] = [parts.filter((p) => p.weight !== 0), parts.filter((p) => !p.weight)];
  return {
    rewardModelVersion: counting.map((p) => `${p.source}@${p.version}`).join("+"),
    extraScores: Object.fromEntries(extra.map((p) => [p.source, p.value])),
  };
}

function checkVersionsListed(versions: readonly number[], weights: readonly ParsedWeights[]): void {
  const listed = new Set(weights.map((w) => w.version));
  const missing = versions.findIndex((version) => !listed.has(version));
  if (missing === -1) return;
  throw invalidField(`weight_versions[${missing}]`, versions[missing], "listed in weights");
}

/** Checks an announcement; published weights always have a hash. */
export function parseWeightsPublished(event: WeightsPublished): ParsedWeightsPublished {
  const weights = parseWeightVersion(event.weights, "weights");
  if (weights.sha256 === "") throw invalidField("weights.sha256", "", "64 hex digits");
  return { runId: checkName(event.runId, "run_id"), weights };
}

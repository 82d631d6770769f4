import type {
  PromptTask,
  Rollout,
  ScorePart,
  Segment,
  WeightsPublished,
} from "../gen/stagecraft/events/v1/events.js";
import {
  checkAligned,
  checkFloat32,
  checkLength,
  checkLogProbs,
  checkName,
  checkOptionalName,
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
  /** Name of what the rollout happens in; empty for one answer to the prompt. */
  environment: string;
}

/** A checked stretch of a rollout; the lists are aligned where it is trained, else empty. */
export interface ParsedSegment {
  ids: Int32Array;
  trained: boolean;
  logProbs: Float32Array;
  weightVersions: Int32Array;
}

/** A checked rollout. */
export interface ParsedRollout {
  rolloutId: string;
  taskId: string;
  runId: string;
  promptId: string;
  /** At least two: the prompt first, and one that is trained. */
  segments: ParsedSegment[];
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

/** A checked report that a task could not be answered. */
export interface ParsedTaskFailure {
  taskId: string;
  runId: string;
  workerId: string;
  code: string;
  reason: string;
  attempt: number;
  willRetry: boolean;
}

/** A checked announcement of weights. */
export interface ParsedWeightsPublished {
  runId: string;
  weights: ParsedWeights;
}

/** The score is a sum in float64 of scores in float32; another order of summing rounds otherwise. */
const SUM_TOLERANCE = 1e-5;
const MAX_PARTS = 64;
const MAX_SEGMENTS = 256;

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
    environment: checkOptionalName(task.environment, "environment", 64),
  };
}

/**
 * Checks a rollout by itself: aligned lists, finite numbers, every version of a token listed with
 * its hash. Whether hash and task are the run's own is the trainer's to check.
 */
export function parseRollout(rollout: Rollout, limits: TokenLimits = {}): ParsedRollout {
  const weights = rollout.weights.map((w, i) => parseWeightVersion(w, `weights[${i}]`));
  const segments =
    rollout.segments.length > 0 ? parseSegments(rollout, limits) : parseOneAnswer(rollout, limits);
  checkVersionsListed(segments, weights);
  return {
    rolloutId: checkName(rollout.rolloutId, "rollout_id"),
    taskId: checkName(rollout.taskId, "task_id"),
    runId: checkName(rollout.runId, "run_id"),
    promptId: rollout.promptId,
    segments,
    finishReason: finishReasonName(rollout.finishReason, "finish_reason"),
    score: checkFloat32(rollout.score, "score"),
    ...parseScoreParts(rollout),
    weights,
    workerId: checkOptionalName(rollout.workerId, "worker_id"),
    traceparent: checkOptionalName(rollout.traceparent, "traceparent"),
  };
}

/** One answer to a prompt, as it stands in the fields of its own. */
function parseOneAnswer(rollout: Rollout, limits: TokenLimits): ParsedSegment[] {
  const { prompt, response: tokens, logProbs, weightVersions } = rollout;
  const answer = { tokens, trained: true, logProbs, weightVersions };
  const given = { tokens: prompt, trained: false, logProbs: [], weightVersions: [] };
  return [
    parseSegment(given, { tokens: "prompt", prefix: "" }, limits),
    parseSegment(answer, { tokens: "response", prefix: "" }, limits),
  ];
}

function parseSegments(rollout: Rollout, limits: TokenLimits): ParsedSegment[] {
  const { prompt, response, logProbs, weightVersions } = rollout;
  const twice = [prompt, response].some((field) => field !== undefined);
  if (twice || logProbs.length > 0 || weightVersions.length > 0) {
    throw invalidField("segments", rollout.segments.length, "empty beside prompt and response");
  }
  checkLength(rollout.segments, "segments", 2, MAX_SEGMENTS);
  const segments = rollout.segments.map((segment, i) => {
    const prefix = `segments[${i}].`;
    return parseSegment(segment, { tokens: `${prefix}tokens`, prefix }, limits);
  });
  if (segments[0]!.trained) throw invalidField("segments[0].trained", true, "false: the prompt");
  if (!segments.some(({ trained }) => trained)) {
    throw invalidField("segments", "given tokens only", "one that is trained at least");
  }
  return segments;
}

function parseSegment(
  segment: Segment,
  names: { tokens: string; prefix: string },
  limits: TokenLimits,
): ParsedSegment {
  const { trained, logProbs, weightVersions } = segment;
  const ids = parseTokens(segment.tokens, names.tokens, limits);
  const [length, like] = trained ? [ids.length, `${names.tokens}.ids`] : [0, "an empty list"];
  checkAligned(logProbs, `${names.prefix}log_probs`, { length, like });
  checkAligned(weightVersions, `${names.prefix}weight_versions`, { length, like });
  return {
    ids,
    trained,
    logProbs: checkLogProbs(logProbs, `${names.prefix}log_probs`),
    weightVersions: Int32Array.from(weightVersions),
  };
}

const MAX_REASON = 2000;

/** What a worker says instead of an answer; undefined when the event is an answer. */
export function parseTaskFailure(rollout: Rollout): ParsedTaskFailure | undefined {
  const { failure } = rollout;
  if (!failure) return undefined;
  return {
    taskId: checkName(rollout.taskId, "task_id"),
    runId: checkName(rollout.runId, "run_id"),
    workerId: checkOptionalName(rollout.workerId, "worker_id"),
    code: checkName(failure.code, "failure.code", 64),
    reason: failure.reason.slice(0, MAX_REASON),
    attempt: failure.attempt,
    willRetry: failure.willRetry,
  };
}

function parseScoreParts({
  score,
  scoreParts,
}: Rollout): Pick<ParsedRollout, "rewardModelVersion" | "extraScores"> {
  checkLength(scoreParts, "score_parts", 1, MAX_PARTS).forEach(checkPart);
  checkSum(score, scoreParts);
  const counting = scoreParts.filter(({ weight }) => weight !== 0);
  const extra = scoreParts.filter(({ weight }) => weight === 0);
  return {
    rewardModelVersion: counting.map((p) => `${p.source}@${p.version}`).join("+"),
    extraScores: Object.fromEntries(extra.map((p) => [p.source, p.value])),
  };
}

function checkPart({ source, version, value, weight }: ScorePart, index: number): void {
  const field = `score_parts[${index}]`;
  checkName(source, `${field}.source`, 128);
  checkOptionalName(version, `${field}.version`, 128);
  checkFloat32(value, `${field}.value`);
  checkFloat32(weight, `${field}.weight`);
}

function checkSum(score: number, parts: readonly ScorePart[]): void {
  const terms = parts.map(({ value, weight }) => value * weight);
  const sum = terms.reduce((total, term) => total + term, 0);
  const size = terms.reduce((total, term) => total + Math.abs(term), 0);
  if (Math.abs(score - sum) <= SUM_TOLERANCE * size) return;
  throw invalidField("score", score, `the weighted sum of score_parts, ${sum}`);
}

function checkVersionsListed(
  segments: readonly ParsedSegment[],
  weights: readonly ParsedWeights[],
): void {
  const versions = segments.flatMap(({ weightVersions }) => [...weightVersions]);
  const listed = new Set(weights.map((w) => w.version));
  if (listed.size < weights.length) {
    throw invalidField("length of weights", weights.length, `${listed.size}, one for each version`);
  }
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

import {
  type events,
  finishReasonOf,
  toTokens,
  type ParsedGeneration,
  type ParsedPromptTask,
} from "@stagecraft/contracts";
import { StagecraftError } from "@stagecraft/core";
import { environmentOf, type Environment } from "@stagecraft/environments";
import type { TraceContext } from "@stagecraft/telemetry";
import type { AnswerToScore, PolicyPort, SourceScore, TaskCall, WeightedReward } from "./ports.js";

export interface TaskProcessing {
  policy: PolicyPort;
  /** At least one. */
  rewards: readonly WeightedReward[];
  workerId: string;
  /** Tokens that end an answer of the policy; [] if there are none. */
  endIds: readonly number[];
  signal: AbortSignal;
  /** The span that the task is worked on in. */
  trace?: TraceContext;
  /** What a task's rollout happens in, by name; default those of libs/environments. */
  environmentOf?(name: string): Environment;
  /** Told how long a part took. */
  onPart?(part: "generate" | "score", seconds: number): void;
}

/** Samples one answer, scores it with every source, and describes it as one event. */
export async function processTask(
  task: ParsedPromptTask,
  processing: TaskProcessing,
): Promise<events.Rollout> {
  const { policy, signal, endIds, trace } = processing;
  const { runId, taskId } = task;
  const call = trace && { runId, taskId, trace };
  const startedAt = performance.now();
  const environment = (processing.environmentOf ?? environmentOf)(task.environment);
  const episode = await environment.reset(task, signal);
  const asked = { ...task, promptIds: episode.observation };
  const answer = cutAfterEos(await policy.generate(asked, signal, call), endIds);
  const generatedAt = performance.now();
  processing.onPart?.("generate", (generatedAt - startedAt) / 1000);
  checkVersionFloor(answer, task);
  const { done } = await episode.step(answer, signal);
  if (!done) throw severalTurns(environment.name);
  const scoreParts = await scoreAll(toScore(task, answer), processing, call);
  processing.onPart?.("score", (performance.now() - generatedAt) / 1000);
  return {
    rolloutId: rolloutIdOf(task.taskId),
    taskId: task.taskId,
    runId: task.runId,
    promptId: task.promptId,
    prompt: toTokens(answer.promptIds),
    response: toTokens(answer.tokenIds),
    logProbs: Array.from(answer.logProbs),
    weightVersions: Array.from(answer.weightVersions),
    finishReason: finishReasonOf(answer.finishReason),
    score: scoreParts.reduce((sum, { value, weight }) => sum + value * weight, 0),
    scoreParts,
    weights: answer.weights.map((w) => ({ ...w, step: BigInt(w.step), sizeBytes: 0n })),
    workerId: processing.workerId,
    createdAt: new Date(),
    traceparent: task.traceparent,
    failure: undefined,
    segments: [], // one answer has fields of its own
  };
}

/** One id per task, so that the work of two workers on one task counts once. */
export function rolloutIdOf(taskId: string): string {
  return `${taskId}/rollout`;
}

/** Drops whatever follows the first end token. The policy stops there by itself; a foreign one may not. */
export function cutAfterEos(answer: ParsedGeneration, endIds: readonly number[]): ParsedGeneration {
  const end = answer.tokenIds.findIndex((id) => endIds.includes(id));
  if (end === -1 || end === answer.tokenIds.length - 1) return answer;
  return {
    ...answer,
    tokenIds: answer.tokenIds.slice(0, end + 1),
    logProbs: answer.logProbs.slice(0, end + 1),
    weightVersions: answer.weightVersions.slice(0, end + 1),
    finishReason: "eos",
  };
}

function checkVersionFloor(answer: ParsedGeneration, { minWeightVersion }: ParsedPromptTask): void {
  const oldest = answer.weightVersions.reduce((a, b) => Math.min(a, b), Infinity);
  if (oldest >= minWeightVersion) return;
  throw new StagecraftError(
    "unavailable", // it has not taken the new weights yet
    `the policy sampled with weights ${oldest}, the task wants ${minWeightVersion} or newer`,
  );
}

function severalTurns(environment: string): StagecraftError {
  return new StagecraftError(
    "unimplemented",
    `environment ${JSON.stringify(environment)} goes on after the first turn; rollout workers of this version play one`,
  );
}

function toScore(task: ParsedPromptTask, answer: ParsedGeneration): AnswerToScore {
  const ids = Int32Array.from([...answer.promptIds, ...answer.tokenIds]);
  const turn = { role: "assistant" as const, content: answer.text };
  const messages = task.messages.length > 0 ? [...task.messages, turn] : [];
  return { promptId: task.promptId, ids, messages };
}

async function scoreAll(
  answer: AnswerToScore,
  { rewards, signal }: TaskProcessing,
  call: TaskCall | undefined,
): Promise<events.ScorePart[]> {
  const parts = await Promise.all(
    rewards.map(async ({ port, weight }) =>
      toParts(await port.score(answer, signal, call), weight),
    ),
  );
  return parts.flat();
}

/** The score, and what an ensemble's members disagree by as a part that counts for nothing. */
function toParts({ uncertainty, ...score }: SourceScore, weight: number): events.ScorePart[] {
  if (uncertainty === undefined) return [{ ...score, weight }];
  const source = `${score.source}.uncertainty`;
  return [
    { ...score, weight },
    { ...score, source, value: uncertainty, weight: 0 },
  ];
}

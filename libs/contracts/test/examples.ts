import { FinishReason, Role } from "../src/gen/stagecraft/common/v1/common.js";
import type { PromptTask, Rollout } from "../src/gen/stagecraft/events/v1/events.js";

/** A valid prompt task for tests to spoil. */
export function exampleTask(): PromptTask {
  return {
    taskId: "task-1",
    runId: "run",
    promptId: "p1",
    conversation: { messages: [{ role: Role.USER, content: "Hi" }] },
    prompt: { ids: [1, 4, 5] },
    sampling: {
      temperature: 0.5,
      topK: 0,
      topP: undefined,
      minP: 0,
      repetitionPenalty: undefined,
      maxNewTokens: 8,
      stop: [],
      seed: 7n,
      logitBias: [],
      frequencyPenalty: undefined,
      presencePenalty: undefined,
    },
    minWeightVersion: 2,
    createdAt: new Date(1_700_000_000_000),
    traceparent: "",
    attempt: 1,
    environment: "",
  };
}

/** A valid rollout for tests to spoil. */
export function exampleRollout(): Rollout {
  return {
    rolloutId: "task-1/rollout",
    taskId: "task-1",
    runId: "run",
    promptId: "p1",
    prompt: { ids: [1, 4, 5] },
    response: { ids: [7, 8, 2] },
    logProbs: [-0.25, -1.5, -0.125],
    weightVersions: [2, 2, 3],
    finishReason: FinishReason.EOS,
    score: 0.75,
    scoreParts: [{ source: "rm", version: "abc", value: 0.75, weight: 1 }],
    weights: [2, 3].map((version) => ({
      version,
      sha256: "0".repeat(63) + String(version),
      step: BigInt(version),
      sizeBytes: 10n,
    })),
    workerId: "w1",
    createdAt: new Date(1_700_000_000_000),
    traceparent: "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
    failure: undefined,
    segments: [],
  };
}

/** The same rollout, told as segments. */
export function exampleSegments(): Rollout {
  const { prompt, response, logProbs, weightVersions, ...rest } = exampleRollout();
  return {
    ...rest,
    prompt: undefined,
    response: undefined,
    logProbs: [],
    weightVersions: [],
    segments: [
      { tokens: prompt, trained: false, logProbs: [], weightVersions: [] },
      { tokens: response, trained: true, logProbs, weightVersions },
    ],
  };
}

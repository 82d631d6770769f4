import {
  decodeMessage,
  events,
  feedback,
  health,
  parseDemonstration,
  parseFlag,
  parseGenerationInput,
  parsePromptTask,
  parseRanking,
  parseRollout,
  parseRunDirName,
  parseRunId,
  parseScoreInput,
  parseScoreLogProbsRequest,
  parseTaskFailure,
  parseWeightsPublished,
  parseWeightVersion,
  policy,
  reward,
  rollout,
  trainer,
  type MessageCodec,
} from "@stagecraft/contracts";
import { mutateBytes, mutateValue } from "./mutate.js";
import type { HostileTarget } from "./hostile-target.js";

const LIMITS = { vocabSize: 100, maxLength: 64 };
const ids = { ids: [1, 2, 3] };
const turn = {
  messages: [
    { role: 2, content: "Hi" },
    { role: 3, content: "Hello" },
  ],
};
const sampling = {
  temperature: 1,
  topP: 0.9,
  minP: 0.1,
  repetitionPenalty: 1.1,
  maxNewTokens: 4,
  stop: ["x"],
  seed: 1n,
};
const weights = { version: 1, sha256: "a".repeat(64), step: 1n, sizeBytes: 1n };
const input = { prompt: { $case: "conversation", value: turn }, sampling, minWeightVersion: 0 };
const item = { input: { $case: "tokens", value: ids } };
const origin = { rater: "r", modelVersion: "1", kind: "k" };
const ranking = { prompt: turn, answers: ["a", "b"], ranks: [1, 2] };
const about = { taskId: "u000000-000000", runId: "r" };
const collect = { model: "m", prompts: ["p.jsonl"], maxNewTokens: 4, temperature: 1 };

/** Every RPC's request, and every message of the bus. */
export function messageTargets(): HostileTarget[] {
  return [
    ...policyTargets(),
    ...rewardTargets(),
    ...rolloutTargets(),
    ...trainerTargets(),
    ...feedbackTargets(),
    ...healthTargets(),
    ...busTargets(),
  ];
}

function policyTargets(): HostileTarget[] {
  const rpc = rpcsOf("stagecraft.policy.v1.PolicyService");
  return [
    rpc("Generate", policy.GenerateRequest, { model: "", input, requestId: "r" }, (m) =>
      parseGenerationInput(m.input, "input", LIMITS),
    ),
    rpc("GenerateBatch", policy.GenerateBatchRequest, { inputs: [input, input] }, (m) =>
      m.inputs.map((each) => parseGenerationInput(each, "inputs", LIMITS)),
    ),
    rpc(
      "ScoreLogProbs",
      policy.ScoreLogProbsRequest,
      { sequences: [ids], promptLengths: [1], temperature: 1 },
      (m) => parseScoreLogProbsRequest(m, { ...LIMITS, maxSequences: 16 }),
    ),
    rpc("LoadWeights", policy.LoadWeightsRequest, { weights, allowRollback: true }, (m) =>
      parseWeightVersion(m.weights, "weights"),
    ),
    rpc("GetModelInfo", policy.GetModelInfoRequest, { model: "m" }),
    rpc("GetStatus", policy.GetStatusRequest, {}),
  ];
}

function rewardTargets(): HostileTarget[] {
  const rpc = rpcsOf("stagecraft.reward.v1.RewardService");
  const model = { name: "rm", version: "" };
  return [
    rpc(
      "ScoreBatch",
      reward.ScoreBatchRequest,
      { model, items: [item, item], truncation: 1 },
      (m) => m.items.map((each) => parseScoreInput(each, "items", LIMITS)),
    ),
    rpc("ScoreStream", reward.ScoreStreamRequest, { itemId: 1n, item, truncation: 2 }, (m) =>
      parseScoreInput(m.item, "item", LIMITS),
    ),
    rpc("GetModelInfo", reward.GetModelInfoRequest, { model }),
    rpc("ListModels", reward.ListModelsRequest, {}),
  ];
}

function rolloutTargets(): HostileTarget[] {
  const rpc = rpcsOf("stagecraft.rollout.v1.RolloutService");
  return [
    rpc("GetStatus", rollout.GetStatusRequest, {}),
    rpc("Drain", rollout.DrainRequest, {}),
    rpc("Resume", rollout.ResumeRequest, {}),
    rpc("SetConcurrency", rollout.SetConcurrencyRequest, { concurrency: 4 }),
  ];
}

function trainerTargets(): HostileTarget[] {
  const rpc = rpcsOf("stagecraft.trainer.v1.TrainerService");
  const runId = "a";
  const wanted = { runId, runDir: "b", stage: "collect", config: collect, resume: false };
  return [
    rpc("CreateRun", trainer.CreateRunRequest, { ...wanted, overwrite: false }, (m) => [
      parseRunId(m.runId),
      parseRunDirName(m.runDir),
    ]),
    rpc("GetRun", trainer.GetRunRequest, { runId }),
    rpc("ListRuns", trainer.ListRunsRequest, { pageSize: 2, pageToken: "1", stage: "ppo" }),
    rpc("WatchRun", trainer.WatchRunRequest, { runId, afterSequence: 1n }),
    rpc("PauseRun", trainer.PauseRunRequest, { runId }),
    rpc("ResumeRun", trainer.ResumeRunRequest, { runId }),
    rpc("CancelRun", trainer.CancelRunRequest, { runId }),
    rpc("ListStages", trainer.ListStagesRequest, {}),
  ];
}

function feedbackTargets(): HostileTarget[] {
  const rpc = rpcsOf("stagecraft.feedback.v1.FeedbackService");
  const about = { feedbackId: "f", origin };
  const comparison = { comparisonId: "c", prompt: turn, answers: ["a", "b"], kind: "k" };
  const page = { pageSize: 2, pageToken: "1" };
  return [
    rpc("AddComparisons", feedback.AddComparisonsRequest, { comparisons: [comparison] }),
    rpc("ListComparisons", feedback.ListComparisonsRequest, { ...page, rater: "r" }),
    rpc("SubmitRanking", feedback.SubmitRankingRequest, { ...about, ranking }, (m) =>
      parseRanking(m.ranking),
    ),
    rpc(
      "SubmitDemonstration",
      feedback.SubmitDemonstrationRequest,
      { ...about, demonstration: { conversation: turn } },
      (m) => parseDemonstration(m.demonstration),
    ),
    rpc(
      "SubmitFlag",
      feedback.SubmitFlagRequest,
      { ...about, flag: { conversation: turn, reason: 1, comment: "c" } },
      (m) => parseFlag(m.flag),
    ),
    rpc("ListFeedback", feedback.ListFeedbackRequest, { ...page, kind: 1 }),
    rpc("NextAssignment", feedback.NextAssignmentRequest, { rater: "r" }),
    rpc("SkipAssignment", feedback.SkipAssignmentRequest, { assignmentId: "a", reason: "x" }),
    rpc("WithdrawComparisons", feedback.WithdrawComparisonsRequest, {
      comparisonIds: ["c"],
      batch: "b",
    }),
    rpc("SetGold", feedback.SetGoldRequest, { comparisonId: "c", ranks: [1, 2] }),
    rpc("GetQueueStatus", feedback.GetQueueStatusRequest, { batch: "b" }),
    rpc("ListDemonstrations", feedback.ListDemonstrationsRequest, page),
    rpc("ListFlags", feedback.ListFlagsRequest, page),
    rpc("ReportLoop", feedback.ReportLoopRequest, { loop: "l", state: 1, round: 1, progress: 0.5 }),
  ];
}

function healthTargets(): HostileTarget[] {
  const rpc = rpcsOf("grpc.health.v1.Health");
  const { HealthCheckRequest: codec } = health;
  return [rpc("Check", codec, { service: "s" }), rpc("Watch", codec, { service: "s" })];
}

function busTargets(): HostileTarget[] {
  const failure = { code: "internal", reason: "r", attempt: 1, willRetry: true };
  const time = new Date(0);
  return [
    message(
      "bus.PromptTask",
      events.PromptTask,
      { ...about, conversation: turn, prompt: ids, sampling },
      (m) => parsePromptTask(m, LIMITS),
    ),
    message(
      "bus.Rollout",
      events.Rollout,
      {
        ...{ ...about, rolloutId: "t/rollout", prompt: ids, response: ids },
        ...{ logProbs: [-1, -1, -1], weightVersions: [1, 1, 1], finishReason: 1, score: 1 },
        scoreParts: [{ source: "rm", version: "1", value: 1, weight: 1 }],
        weights: [weights],
      },
      (m) => parseRollout(m, LIMITS),
    ),
    message(
      "bus.Rollout of segments",
      events.Rollout,
      {
        ...{ ...about, rolloutId: "t/rollout", finishReason: 1, score: 1, weights: [weights] },
        scoreParts: [{ source: "rm", version: "1", value: 1, weight: 1 }],
        segments: [
          { tokens: ids, trained: false },
          { tokens: ids, trained: true, logProbs: [-1, -1, -1], weightVersions: [1, 1, 1] },
        ],
      },
      (m) => parseRollout(m, LIMITS),
    ),
    message("bus.TaskFailure", events.Rollout, { ...about, failure, workerId: "w" }, (m) =>
      parseTaskFailure(m),
    ),
    message("bus.WeightsPublished", events.WeightsPublished, { runId: "r", weights }, (m) =>
      parseWeightsPublished(m),
    ),
    message("bus.Progress", events.Progress, {
      ...{ runId: "r", stage: "ppo", done: 1, total: 2, unit: "steps", createdAt: time },
      metrics: { loss: 1, nested: { list: [1, "a", null] } },
    }),
    message("bus.DeadLetter", events.DeadLetter, {
      ...{ subject: "s", messageId: "m", payload: new Uint8Array(9), code: "internal" },
      ...{ reason: "r", numDeliveries: 3, workerId: "w", createdAt: time },
    }),
  ];
}

type Codec<T> = MessageCodec<T> & { fromPartial(partial: never): T };

/** Good messages with values changed, and their bytes with bytes changed. */
function message<T>(
  name: string,
  codec: Codec<T>,
  example: object,
  parse: (decoded: T) => unknown = (decoded) => decoded,
): HostileTarget {
  const encode = (value: unknown) => codec.encode(codec.fromPartial(value as never)).finish();
  return {
    name,
    make(random) {
      try {
        const bytes = encode(mutateValue(example, random));
        return random.nextInt(2) === 0 ? bytes : mutateBytes(bytes, random);
      } catch {
        return mutateBytes(encode(example), random); // no message can say that
      }
    },
    read: (bytes) => parse(decodeMessage(codec, bytes, name)),
  };
}

/** The same for requests of a service: `policy.Generate`. */
function rpcsOf(service: string) {
  const short = service.split(".").at(-3)!;
  return <T>(
    method: string,
    codec: Codec<T>,
    example: object,
    parse?: (decoded: T) => unknown,
  ): HostileTarget => ({
    ...message(`${short}.${method}`, codec, example, parse),
    path: `/${service}/${method}`,
  });
}

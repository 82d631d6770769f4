import {
  type common,
  parseGeneration,
  parseScore,
  type policy,
  reward,
  toConversation,
  toSampling,
  toTokens,
} from "@stagecraft/contracts";
import { StagecraftError } from "@stagecraft/core";
import { idMetadata, type CallOptions, type RpcClient } from "@stagecraft/rpc";
import type { AnswerToScore, PolicyPort, RewardPort, TaskCall } from "./ports.js";

/** The service definition behind a policy client. */
export type PolicyClient = RpcClient<typeof policy.PolicyServiceService>;
/** The service definition behind a reward client. */
export type RewardClient = RpcClient<typeof reward.RewardServiceService>;

/** Generates on a policy server. */
export function createGrpcPolicyPort(client: PolicyClient): PolicyPort {
  return {
    async generate(task, signal, call) {
      const input: policy.GenerationInput = {
        prompt: { $case: "tokens", value: toTokens(task.promptIds) },
        sampling: toSampling(task.sampling),
        minWeightVersion: task.minWeightVersion,
      };
      const request = { model: "", inputs: [input], requestId: task.taskId };
      const { generations } = await client.generateBatch(request, callOptions(signal, call));
      if (generations.length === 1) return parseGeneration(generations[0]!, "generations[0]");
      throw badAnswer(`policy sent ${generations.length} generations for 1 input`);
    },
  };
}

/** What tells how a policy's conversations become token ids. */
export type PolicyText = Pick<common.ModelInfo, "tokenizerFingerprint" | "chatFingerprint">;

export interface GrpcRewardOptions {
  /** Model to ask for; empty means the server's default. */
  model: string;
  /**
   * Of the policy: token ids are sent where the reward model's tokenizer and chat template are the same
   * ones, else the conversation, which the reward model renders as it learnt it.
   */
  policy: PolicyText;
}

/** Scores on a reward-model server. Answers too long for the model are refused, never cut. */
export function createGrpcRewardPort(client: RewardClient, options: GrpcRewardOptions): RewardPort {
  const model = { name: options.model, version: "" };
  let asTokens: Promise<boolean> | undefined;
  const rendersAlike = async () => {
    const { info } = await client.getModelInfo({ model });
    const { tokenizerFingerprint, chatFingerprint } = options.policy;
    return (
      info?.tokenizerFingerprint === tokenizerFingerprint &&
      info.chatFingerprint === chatFingerprint
    );
  };
  return {
    async score(answer, signal, call) {
      // A failed look at the model is tried again with the next answer.
      asTokens ??= rendersAlike().catch((error: unknown) => {
        asTokens = undefined;
        throw error;
      });
      const item = toScoreInput(answer, await asTokens);
      const truncation = reward.TruncationPolicy.REFUSE;
      const request = { model, items: [item], truncation };
      const response = await client.scoreBatch(request, callOptions(signal, call));
      const { value, uncertainty } = parseScore(response.scores[0], "scores[0]");
      const from = { source: response.model, version: response.modelVersion };
      return { ...from, value, ...(uncertainty > 0 && { uncertainty }) };
    },
  };
}

function callOptions(signal: AbortSignal, call: TaskCall | undefined): CallOptions {
  if (!call) return { signal };
  const parent = { signal, deadline: Infinity, trace: call.trace };
  return { parent, metadata: idMetadata(call) };
}

function toScoreInput({ ids, messages }: AnswerToScore, asTokens: boolean): reward.ScoreInput {
  if (asTokens) return { input: { $case: "tokens", value: toTokens(ids) } };
  if (messages.length > 0) {
    return { input: { $case: "conversation", value: toConversation(messages) } };
  }
  throw new StagecraftError(
    "invalid_argument",
    "the reward model has another tokenizer or chat template, and the task carries no conversation; send tasks with text",
  );
}

function badAnswer(reason: string): StagecraftError {
  return new StagecraftError("internal", reason);
}

import { reward, toConversation, type ChatMessage } from "@stagecraft/contracts";
import { createRpcClient } from "@stagecraft/rpc";
import type { ConnectOptions } from "./options.js";

/** A conversation's score. */
export interface ScoredAnswer {
  /** Higher is better; only differences under one model mean something. */
  value: number;
  /** Standard deviation over the members of an ensemble; 0 for a single model. */
  uncertainty: number;
  numTokens: number;
  /** Tokens that were cut to make it fit. */
  numTruncated: number;
  /** Whose score it is: `NAME@VERSION`. */
  scoredBy: string;
}

export interface ScoreOptions {
  /** Which model of the server; default its first. */
  model?: string;
  /** A conversation that does not fit is refused (default), or its oldest tokens are cut. */
  truncation?: "refuse" | "keep-end";
  signal?: AbortSignal;
}

export interface RewardModel extends AsyncDisposable {
  /** Scores of conversations that each end with the assistant's answer, in their order. */
  score(
    conversations: readonly (readonly ChatMessage[])[],
    options?: ScoreOptions,
  ): Promise<ScoredAnswer[]>;
}

const TRUNCATION = {
  refuse: reward.TruncationPolicy.REFUSE,
  "keep-end": reward.TruncationPolicy.KEEP_END,
} as const;

/** A client of a reward model's server; calls are retried while it is unavailable. */
export function connectRewardModel(address: string, options: ConnectOptions = {}): RewardModel {
  const client = createRpcClient(reward.RewardServiceClient, address, {
    ...options,
    idempotent: "all",
  });
  return {
    async score(conversations, { model = "", truncation = "refuse", signal } = {}) {
      const request = {
        model: { name: model, version: "" },
        items: conversations.map(toItem),
        truncation: TRUNCATION[truncation],
      };
      const answer = await client.scoreBatch(request, signal ? { signal } : {});
      const scoredBy = `${answer.model}@${answer.modelVersion}`;
      return answer.scores.map((score) => ({ ...score, scoredBy }));
    },
    [Symbol.asyncDispose]: () => client[Symbol.asyncDispose](),
  };
}

function toItem(messages: readonly ChatMessage[]): reward.ScoreInput {
  return { input: { $case: "conversation", value: toConversation(messages) } };
}

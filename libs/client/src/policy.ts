import {
  finishReasonName,
  policy,
  toConversation,
  toSampling,
  type ChatMessage,
  type FinishReasonName,
  type SamplingInput,
} from "@stagecraft/contracts";
import { StagecraftError } from "@stagecraft/core";
import { createRpcClient } from "@stagecraft/rpc";
import type { ConnectOptions } from "./options.js";

/** A complete answer. */
export interface Answer {
  text: string;
  tokenIds: number[];
  /** Of each token, in nats, before any filter. */
  logProbs: number[];
  /** Version of the weights that drew each token. */
  weightVersions: number[];
  finishReason: FinishReasonName;
}

export interface Policy extends AsyncDisposable {
  /** Yields the answer's text piece by piece and returns all of it; breaking off frees its slot. */
  generate(
    messages: readonly ChatMessage[],
    sampling: SamplingInput,
    options?: { signal?: AbortSignal; timeoutMs?: number },
  ): AsyncGenerator<string, Answer>;
}

/** A client of a policy's server. */
export function connectPolicy(address: string, options: ConnectOptions = {}): Policy {
  const client = createRpcClient(policy.PolicyServiceClient, address, options);
  return {
    async *generate(messages, sampling, callOptions = {}) {
      const request = policy.GenerateRequest.fromPartial({
        input: {
          prompt: { $case: "conversation", value: toConversation(messages) },
          sampling: toSampling(sampling),
        },
      });
      const parts = emptyAnswer();
      for await (const chunk of client.generate(request, callOptions)) {
        parts.text += chunk.text;
        parts.tokenIds.push(...chunk.tokenIds);
        parts.logProbs.push(...chunk.logProbs);
        parts.weightVersions.push(...chunk.weightVersions);
        if (chunk.text !== "") yield chunk.text;
        if (chunk.finishReason === 0) continue;
        return { ...parts, finishReason: finishReasonName(chunk.finishReason, "finish_reason") };
      }
      throw new StagecraftError("data_loss", "the policy's stream ended before the answer did");
    },
    [Symbol.asyncDispose]: () => client[Symbol.asyncDispose](),
  };
}

function emptyAnswer(): Omit<Answer, "finishReason"> {
  return { text: "", tokenIds: [], logProbs: [], weightVersions: [] };
}

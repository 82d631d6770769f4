import { common, policy, toConversation } from "@stagecraft/contracts";
import { StagecraftError } from "@stagecraft/core";
import { createRpcClient, type RpcClientOptions } from "@stagecraft/rpc";
import type { Sampling, Turn } from "../http/api/index.js";

export interface Ask {
  turns: readonly Turn[];
  /** Name of a model; empty = the first. */
  model: string;
  sampling: Partial<Sampling>;
  signal: AbortSignal;
}

export type AnswerPart =
  { text: string } | { finishReason: "stop" | "length"; modelVersion: string };

/** The models that answer here, whatever serves them. */
export interface Models extends AsyncDisposable {
  readonly names: readonly string[];
  /** Version of the weights in use; empty when the server cannot say. */
  version(name: string): Promise<string>;
  /** Streams an answer; the last part says how it ended. */
  answer(ask: Ask): AsyncIterable<AnswerPart>;
}

const DEFAULT_MAX_TOKENS = 256;

/** Models behind policy services, by name. */
export function createModels(
  addresses: Readonly<Record<string, string>>,
  options: RpcClientOptions<typeof policy.PolicyServiceService> = {},
): Models {
  const clients = new Map(
    Object.entries(addresses).map(([name, address]) => [
      name,
      createRpcClient(policy.PolicyServiceClient, address, options),
    ]),
  );
  const clientOf = (model: string) => {
    const client = clients.get(model || [...clients.keys()][0]!);
    if (client) return client;
    if (clients.size === 0) throw noModels();
    throw new StagecraftError("not_found", `there is no model ${model}`, {
      details: { field: "model", advice: `choose one of ${[...clients.keys()].join(", ")}` },
    });
  };
  return {
    names: [...clients.keys()],
    async version(name) {
      const { weights } = await clientOf(name).getStatus({});
      return weights ? String(weights.version) : "";
    },
    async *answer({ turns, model, sampling, signal }) {
      const input = {
        prompt: { $case: "conversation" as const, value: toConversation([...turns]) },
        sampling: samplingOf(sampling),
        minWeightVersion: 0,
      };
      const request = { model: "", input, requestId: "" };
      const name = model || [...clients.keys()][0]!;
      for await (const part of clientOf(model).generate(request, { signal })) {
        if (part.text !== "") yield { text: part.text };
        if (part.finishReason === common.FinishReason.UNSPECIFIED) continue;
        const version = part.weights.at(-1)?.version ?? 0;
        const isCut = part.finishReason === common.FinishReason.LENGTH;
        yield { finishReason: isCut ? "length" : "stop", modelVersion: `${name}@${version}` };
      }
    },
    async [Symbol.asyncDispose]() {
      for (const client of clients.values()) client.close();
    },
  };
}

function samplingOf({ temperature, topP, maxTokens, seed }: Partial<Sampling>) {
  return common.SamplingParams.fromPartial({
    temperature: temperature ?? 1,
    topP: topP ?? 1,
    maxNewTokens: maxTokens ?? DEFAULT_MAX_TOKENS,
    seed: seed ?? Math.floor(Math.random() * 2 ** 31),
  });
}

function noModels(): StagecraftError {
  return new StagecraftError("failed_precondition", "no model answers here", {
    details: { advice: "start the gateway with --models NAME=ADDRESS, or use `stagecraft studio`" },
  });
}

import { common, toConversation } from "@stagecraft/contracts";
import { StagecraftError } from "@stagecraft/core";
import type { Sampling, Turn } from "../http/api/index.js";
import type { PolicyBackend, ServedModels } from "../openai/backend.js";

export interface Ask {
  turns: readonly Turn[];
  /** Name of a model; empty = the first. */
  model: string;
  sampling: Partial<Sampling>;
  signal: AbortSignal;
}

export type AnswerPart =
  { text: string } | { finishReason: "stop" | "length"; modelVersion: string };

const DEFAULT_MAX_TOKENS = 256;

/** Streams an answer of one of the models; the last part says how it ended. */
export async function* answerWith(
  models: ServedModels,
  { turns, model, sampling, signal }: Ask,
): AsyncGenerator<AnswerPart> {
  const [name, backend] = backendOf(models, model);
  const input = {
    prompt: { $case: "conversation" as const, value: toConversation([...turns]) },
    sampling: samplingOf(sampling),
    minWeightVersion: 0,
  };
  const request = { model: "", input, requestId: "" };
  for await (const part of backend.generate(request, { signal })) {
    if (part.text !== "") yield { text: part.text };
    if (part.finishReason === common.FinishReason.UNSPECIFIED) continue;
    const version = part.weights.at(-1)?.version ?? 0;
    const isCut = part.finishReason === common.FinishReason.LENGTH;
    yield { finishReason: isCut ? "length" : "stop", modelVersion: `${name}@${version}` };
  }
}

/** Version of the weights that a model has now; null when it does not answer, or has those of its folder. */
export async function versionOf(models: ServedModels, name: string): Promise<string | null> {
  const info = await models
    .policies()
    .get(name)
    ?.getModelInfo({ model: "" })
    .catch(() => undefined);
  const version = info?.info?.version;
  return version && version !== "v0" ? version : null;
}

function backendOf(models: ServedModels, model: string): readonly [string, PolicyBackend] {
  const policies = models.policies();
  const name = model || [...policies.keys()][0];
  if (name === undefined) {
    throw new StagecraftError("failed_precondition", "no model answers here", {
      details: { advice: "start the gateway with --models NAME=ADDRESS, or run stagecraft studio" },
    });
  }
  const backend = policies.get(name);
  if (backend) return [name, backend];
  throw new StagecraftError("not_found", "that model is not served here", {
    details: { field: "model", advice: "load the page again and choose one of the list" },
  });
}

function samplingOf({ temperature, topP, maxTokens, seed }: Partial<Sampling>) {
  return common.SamplingParams.fromPartial({
    temperature: temperature ?? 1,
    topP: topP ?? 1,
    maxNewTokens: maxTokens ?? DEFAULT_MAX_TOKENS,
    seed: seed ?? Math.floor(Math.random() * 2 ** 31),
  });
}

import { sha256OfTensors } from "@stagecraft/checkpoint";
import type { JsonObject } from "@stagecraft/core";
import { loadModel, readModelInfo } from "@stagecraft/model";
import { loadTokenizer } from "@stagecraft/tokenizer";
import type { BatchingOptions } from "./model-set.js";
import { createScorer, type Scorer } from "./scorer.js";
import { createRewardModelService, type RewardModelService } from "./service.js";

/** A model directory under the name that requests use. */
export interface NamedModelDir {
  name: string;
  dir: string;
}

export interface OpenRewardModelOptions extends BatchingOptions {
  /** The first is the default. */
  models: readonly NamedModelDir[];
  maxItemsPerRequest: number;
}

/** A reward-model service over model directories. */
export async function openRewardModelService(
  options: OpenRewardModelOptions,
): Promise<RewardModelService> {
  const scorers: Scorer[] = [];
  for (const model of options.models) scorers.push(await loadScorer(model));
  return createRewardModelService({ ...options, scorers });
}

/** Loads a reward model; its version is the beginning of the hash of its weights. */
export async function loadScorer({ name, dir }: NamedModelDir): Promise<Scorer> {
  const tokenizer = await loadTokenizer(dir);
  const { extra } = await readModelInfo(dir);
  const model = await loadModel(dir, { heads: ["score"] });
  const version = sha256OfTensors(model.tensors()).slice(0, 12);
  return createScorer({ name, version, model, tokenizer, ...referenceStatistics(extra) });
}

/** As the reward stage stores them; 0 for models that come from elsewhere. */
function referenceStatistics(extra: JsonObject): { scoreMean: number; scoreStd: number } {
  const stored = (extra["rewardModel"] ?? {}) as JsonObject;
  const numberOf = (value: unknown) => (typeof value === "number" ? value : 0);
  return { scoreMean: numberOf(stored["mean"]), scoreStd: numberOf(stored["std"]) };
}

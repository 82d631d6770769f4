import { sha256OfTensors } from "@stagecraft/checkpoint";
import { loadRewardModel } from "@stagecraft/learn";
import { loadTokenizerOf } from "@stagecraft/model";
import type { ChosenTemplate } from "@stagecraft/tokenizer";
import type { BatchingOptions } from "./model-set.js";
import { createScorer, type LocalScorer, type Scorer } from "./scorer.js";
import { createRewardModelService, type RewardModelService } from "./service.js";

/** A model directory under the name that requests use. */
export interface NamedModelDir {
  name: string;
  dir: string;
  /** A chat template in the place of the model's. */
  chat?: ChosenTemplate | undefined;
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
export async function loadScorer({ name, dir, chat = {} }: NamedModelDir): Promise<LocalScorer> {
  const tokenizer = await loadTokenizerOf(dir, chat);
  const { members, scoreMean, scoreStd, memberMeans } = await loadRewardModel(dir);
  const [model, ...otherMembers] = members;
  const weights = members.flatMap((member, index) =>
    [...member.tensors()].map(([tensor, entry]) => [`${index}.${tensor}`, entry] as const),
  );
  const version = sha256OfTensors(members.length === 1 ? model!.tensors() : new Map(weights)).slice(
    0,
    12,
  );
  return createScorer({
    name,
    version,
    model: model!,
    otherMembers,
    tokenizer,
    scoreMean,
    scoreStd,
    memberMeans,
  });
}

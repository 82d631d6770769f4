/**
 * Reward models as they are used: one model, or an ensemble whose disagreement says how far a score
 * can be trusted (Coste et al. 2023, "Reward model ensembles help mitigate overoptimization").
 *
 * An ensemble is a model directory like any other: config.json and model.safetensors are its first
 * member, so that every tool can read it and a critic can start from it. Further members lie beside
 * it as `member-2.safetensors`, …, and config.json lists them under `stagecraft.rewardModel.members`.
 */
import { rename, rm } from "node:fs/promises";
import { join } from "node:path";
import { readSafetensors, writeSafetensors } from "@stagecraft/checkpoint";
import { StagecraftError, type JsonObject } from "@stagecraft/core";
import {
  loadModel,
  modelFromTensors,
  readModelInfo,
  saveModel,
  storeAs,
  type Model,
  type SaveModelOptions,
} from "@stagecraft/model";
import { scoreSequences } from "./reward-batch.js";

/** A score with the disagreement about it. */
export interface EnsembleScore {
  /** Mean over the members. */
  mean: number;
  /** Standard deviation over the members (biased); 0 for a single model. */
  std: number;
}

/** A reward model of one or more members. */
export interface RewardModel {
  /** At least one; the first is what other tools see. */
  readonly members: readonly Model[];
  /** Statistics of the reference answers' scores; 0 when not recorded. */
  readonly scoreMean: number;
  readonly scoreStd: number;
  /** Of each member's own scores of them; the members disagree about what lies beyond these. */
  readonly memberMeans: readonly number[];
  /** One for each sequence, read at its last token; no gradient. */
  score(sequences: readonly Int32Array[]): EnsembleScore[];
  dispose(): void;
}

/**
 * Loads what the reward stage wrote. Throws `failed_precondition` for a model without a score head,
 * `not_found` or `data_loss` for a missing or damaged member.
 */
export async function loadRewardModel(directory: string): Promise<RewardModel> {
  const { heads, extra } = await readModelInfo(directory);
  if (!heads.includes("score")) throw noScoreHead(directory);
  const stored = (extra["rewardModel"] ?? {}) as JsonObject;
  const members = [await loadModel(directory, { heads: ["score"] })];
  const dispose = () => members.forEach((member) => member.dispose());
  try {
    for (const file of memberFiles(stored)) {
      const { tensors } = await readSafetensors(join(directory, file));
      members.push(modelFromTensors(members[0]!.config, tensors, { heads: ["score"], seed: 0 }));
    }
  } catch (thrown) {
    dispose();
    throw thrown;
  }
  return rewardModelOf(members, {
    scoreMean: numberOf(stored["mean"]),
    scoreStd: numberOf(stored["std"]),
    memberMeans: Array.isArray(stored["memberMeans"]) ? stored["memberMeans"].map(numberOf) : [],
  });
}

/** Where the scores of the reference answers lie. */
export type ScoreStatistics = Pick<RewardModel, "scoreMean" | "scoreStd" | "memberMeans">;

/** A reward model over members in memory, which it disposes. */
function rewardModelOf(
  members: readonly Model[],
  { scoreMean = 0, scoreStd = 0, memberMeans = [] }: Partial<ScoreStatistics> = {},
): RewardModel {
  return {
    members,
    scoreMean,
    scoreStd,
    memberMeans,
    score(sequences) {
      const scores = members.map((member) => scoreSequences(member, sequences));
      return combineScores(scores, memberMeans);
    },
    dispose: () => members.forEach((member) => member.dispose()),
  };
}

/**
 * Mean and standard deviation over members of each answer's score; `scores` is [members][answers]. A
 * ranking says nothing about a member's zero, so that disagreement is counted from `memberMeans`.
 */
export function combineScores(
  scores: readonly ArrayLike<number>[],
  memberMeans: readonly number[] = [],
): EnsembleScore[] {
  const n = scores.length;
  const zeros = scores.map((_, m) => memberMeans[m] ?? 0);
  const zero = zeros.reduce((sum, value) => sum + value, 0) / n;
  return Array.from({ length: scores[0]!.length }, (_, i) => {
    const mean = scores.reduce((sum, member) => sum + member[i]!, 0) / n;
    const deviations = scores.map((member, m) => member[i]! - zeros[m]! - (mean - zero));
    const variance = deviations.reduce((sum, deviation) => sum + deviation ** 2, 0) / n;
    return { mean, std: Math.sqrt(variance) };
  });
}

export interface SaveRewardModelOptions extends Omit<SaveModelOptions, "extra"> {
  /** What config.json says under `stagecraft.rewardModel`, beside the members. */
  description: JsonObject;
}

/** Writes a reward model of one or more members as one directory, replacing what was there. */
export async function saveRewardModel(
  directory: string,
  members: readonly Model[],
  { description, ...options }: SaveRewardModelOptions,
): Promise<void> {
  const [first, ...others] = members;
  const files = others.map((_, i) => `member-${i + 2}.safetensors`);
  if (files.length === 0) {
    const extra = { rewardModel: description };
    return saveModel(directory, first!, { ...options, extra });
  }
  const extra = { rewardModel: { ...description, members: files } };
  // Whole before it gets its name: no reader sees an ensemble without its members.
  const staging = `${directory}.staging`;
  await rm(staging, { recursive: true, force: true });
  await saveModel(staging, first!, { ...options, extra });
  for (const [i, member] of others.entries()) {
    const tensors = storeAs(options.dtype ?? "f32", member.tensors());
    await writeSafetensors(join(staging, files[i]!), tensors);
  }
  await rm(directory, { recursive: true, force: true });
  await rename(staging, directory);
}

function memberFiles(stored: JsonObject): string[] {
  const { members } = stored;
  return Array.isArray(members) ? members.filter((file) => typeof file === "string") : [];
}

function numberOf(value: unknown): number {
  return typeof value === "number" ? value : 0;
}

function noScoreHead(directory: string): StagecraftError {
  return new StagecraftError(
    "failed_precondition",
    `${directory} has no score head; give a model that the reward stage wrote`,
    { details: { directory } },
  );
}

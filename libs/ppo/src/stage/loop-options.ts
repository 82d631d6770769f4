import { learningRateAt } from "@stagecraft/runs";
import type { AdvantageOptions } from "../batch/experience.js";
import type { KlControllerConfig } from "../math/kl-controller.js";
import type { ExperienceOptions } from "../update/build-experience.js";
import { parseScoreWeights } from "../rollouts/combine-scores.js";
import type { PublishedWeights } from "../rollouts/weight-publisher.js";
import type { PpoConfig } from "./config.js";
import type { OptimizeOptions } from "../update/trainees.js";

/** How β moves. */
export function klConfig({ klCoef, klTarget, klHorizon }: PpoConfig): KlControllerConfig {
  if (klTarget <= 0) return { kind: "fixed", klCoef };
  return { kind: "adaptive", klCoef, targetKl: klTarget, horizon: klHorizon };
}

/** Which learning rate an update has; `peak` is the policy's or the critic's. */
export function updateLearningRate(config: PpoConfig, update: number, peak: number): number {
  return learningRateAt(update, {
    kind: config.schedule,
    learningRate: peak,
    warmupSteps: config.warmupUpdates,
    totalSteps: config.updates,
    minRatio: config.minLearningRateRatio,
  });
}

/** How samples of an update become experience. */
export function experienceOptions(
  config: PpoConfig,
  scope: {
    endIds: readonly number[];
    scoreScale?: number | undefined;
    scoreZero?: number | undefined;
    update: number;
    published: readonly PublishedWeights[];
  },
): ExperienceOptions {
  const { oldLogProbs, decoupled } = config;
  return {
    ...forwardOptions(config),
    endIds: scope.endIds,
    scores: {
      scale: scope.scoreScale ?? 1,
      zero: scope.scoreZero ?? 0,
      uncertaintyPenalty: config.uncertaintyPenalty,
      weights: parseScoreWeights(config.scoreWeights),
    },
    missingEos: { kind: config.missingEos, value: config.missingEosValue },
    samplesPerPrompt: config.samplesPerPrompt,
    update: scope.update,
    published: scope.published,
    recomputeOldLogProbs: oldLogProbs === "trainer" ? "all" : decoupled ? "stale" : "none",
  };
}

/** How rewards become advantages under the β of an update. */
export function advantageOptions(config: PpoConfig, klCoef: number): AdvantageOptions {
  return { ...config, klCoef: config.klMode === "reward" ? klCoef : 0 };
}

/** How an update learns from its experience. */
export function optimizeOptions(
  config: PpoConfig,
  { update, klCoef }: { update: number; klCoef: number },
): OptimizeOptions {
  const criticPeak = config.criticLearningRate || config.learningRate;
  return {
    ...config,
    ...forwardOptions(config),
    clipLow: config.clipRange,
    clipHigh: config.clipRangeHigh > 0 ? config.clipRangeHigh : config.clipRange,
    klLossCoef: config.klMode === "loss" ? klCoef : 0,
    policyLearningRate: updateLearningRate(config, update, config.learningRate),
    criticLearningRate: updateLearningRate(config, update, criticPeak),
    trainPolicy: update >= config.criticWarmupUpdates,
    update,
  };
}

function forwardOptions({ temperature, maxTokensPerPass }: PpoConfig) {
  return { padId: 0, maxTokens: maxTokensPerPass, temperature };
}

import type { TensorEntry, TensorMap } from "@stagecraft/checkpoint";
import type { JsonObject } from "@stagecraft/core";
import {
  loadOptimizer,
  loadVariables,
  optimizerToTensors,
  variablesToTensors,
} from "@stagecraft/runs";
import type { Trainees } from "../update/trainees.js";

/** Weights and optimizers of everything that is trained, as a checkpoint holds them. */
export function traineesToTensors(trainees: Trainees): Map<string, TensorEntry> {
  const { policy, policyOptimizer, critic, criticOptimizer, ema } = trainees;
  return new Map([
    ...variablesToTensors(policy.params, "policy/"),
    ...optimizerToTensors(policyOptimizer, "policyOptimizer/"),
    ...(critic && critic !== policy ? variablesToTensors(critic.params, "critic/") : []),
    ...(criticOptimizer ? optimizerToTensors(criticOptimizer, "criticOptimizer/") : []),
    ...(ema?.tensors("ema/") ?? []),
  ]);
}

/** Puts a checkpoint's tensors back; throws `data_loss` when one is missing or misshapen. */
export function loadTrainees(trainees: Trainees, tensors: TensorMap): void {
  const { policy, policyOptimizer, critic, criticOptimizer, ema } = trainees;
  loadVariables(policy.params, tensors, "policy/");
  loadOptimizer(policyOptimizer, tensors, "policyOptimizer/");
  if (critic && critic !== policy) loadVariables(critic.params, tensors, "critic/");
  if (criticOptimizer) loadOptimizer(criticOptimizer, tensors, "criticOptimizer/");
  ema?.load(tensors, "ema/");
}

/** The loop's state of a checkpoint from before PPO shared its loop with the other stages. */
export function inWordsOfTheLoop(loop: JsonObject): JsonObject {
  const { update, evaluatedUpdate, best, startScore = null, ...rest } = loop;
  if (update === undefined) return loop;
  const chosen = best as { update: number; score: number } | null;
  return {
    ...{ ...rest, step: update, evaluatedStep: evaluatedUpdate!, start: startScore },
    best: chosen && { step: chosen.update, value: chosen.score },
  };
}

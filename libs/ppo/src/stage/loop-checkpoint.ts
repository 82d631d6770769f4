import type { TensorEntry, TensorMap } from "@stagecraft/checkpoint";
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

import { join } from "node:path";
import type { PpoConfig } from "@stagecraft/ppo";
import type { StageContext, StageDefinition, StageResult } from "@stagecraft/runs";
import { runPpoOverServices } from "../stages/ppo-stage.js";

/** Where the steps of a loop are computed: in this process, or on a cluster. */
export interface LoopPlace {
  /** Runs a stage in a run directory of its own, going on from where it was. */
  run<C extends object>(stage: StageDefinition<C>, config: C, step: LoopStep): Promise<StageResult>;
  /** PPO, scored by the reward model that its configuration names. */
  runPpo(config: PpoConfig, step: LoopStep): Promise<StageResult>;
  /** Resolves when the services that people reach are told to serve this model; nothing without any. */
  publish(policy: string, step: LoopStep): Promise<void>;
}

/** One step of a round. */
export interface LoopStep {
  /** The round's folder; a step keeps its run in it, or where a trainer keeps its own. */
  dir: string;
  /** Of the step within the round, such as `reward`. */
  name: string;
  /** How often the round was begun from other models before: what was computed then is not gone on with. */
  numAsides: number;
  context: StageContext;
}

/** A step's own run directory within the round's; a step that is done already does nothing. */
function stepContext({ dir, name, context }: LoopStep): StageContext {
  return { ...context, runDir: join(dir, name), resume: true, overwrite: false };
}

/** Everything in this process, PPO through the services embedded in it. */
export const localPlace: LoopPlace = {
  run: (stage, config, step) => stage.run(config, stepContext(step)),
  runPpo: (config, step) => runPpoOverServices(config, stepContext(step)),
  publish: () => Promise.resolve(),
};

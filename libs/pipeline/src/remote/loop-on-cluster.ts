import { createHash } from "node:crypto";
import { basename, join, resolve } from "node:path";
import type { ControlClient } from "@stagecraft/cluster";
import type { StageDefinition, StageResult } from "@stagecraft/runs";
import { createLoopStage, type LoopDependencies } from "../loop/loop-stage.js";
import type { LoopConfig } from "../loop/loop-config.js";
import type { LoopPlace, LoopStep } from "../loop/place.js";
import { checkPolicy } from "./ppo-on-cluster.js";
import { runOnTrainer, type ClusterTarget } from "./run-on-trainer.js";

/** A cluster whose models a loop may change. */
export type LoopTarget = ClusterTarget & { control: Pick<ControlClient, "useRewardModel"> };

/**
 * The loop on a running cluster: SFT, sampling, reward models and PPO run on its trainer, its reward
 * models are told what to score by, and its policies serve what every round made. Ranking and the
 * judgement of reward models stay in this process, which reads the trainer's folders.
 */
export function loopOnCluster(
  target: LoopTarget,
  dependencies: Omit<LoopDependencies, "place"> = {},
): StageDefinition<LoopConfig> {
  const place = clusterPlace(target);
  const stage = createLoopStage({ ...dependencies, place });
  const { policy } = target.status.models;
  return {
    ...stage,
    async run(config, context) {
      await checkPolicy(resolve(config.policy), policy);
      context.reporter.info(
        `on the cluster: SFT, sampling, reward models and PPO run on its trainer, in ${target.status.runsDir}; ` +
          "ranking and the judgement of reward models stay in this process",
      );
      return await stage.run(config, context);
    },
  };
}

/** Every step as a run of the cluster's trainer. */
export function clusterPlace({ layout, status, control }: LoopTarget): LoopPlace {
  const served = { ...status.models };
  const run = (stage: string, given: object, step: LoopStep): Promise<StageResult> => {
    const config = "engine" in given ? { ...given, ...status.engine } : given;
    return runOnTrainer({ layout, status }, { stage, config }, contextOf(step, status.runsDir));
  };
  const serve = async (rewardModel: string, { context }: LoopStep) => {
    const wanted = resolve(rewardModel);
    if (wanted === served.reward) return;
    context.reporter.info(`the cluster's reward models change to ${wanted}`);
    await control.useRewardModel(wanted);
    served.reward = wanted;
  };
  return {
    run: (stage, config, step) => run(stage.name, config, step),
    async runPpo(config, step) {
      await serve(config.rewardModel, step);
      return await run("ppo", config, step);
    },
    async publish(policy, step) {
      await run("publish", { model: policy }, step);
      step.context.reporter.info(`the cluster's policies are told to serve ${policy}`);
    },
  };
}

/** A trainer's runs lie side by side in its folder: the name tells loop, round and step. */
function contextOf(
  { dir, name, numAsides, context }: LoopStep,
  runsDir: string,
): LoopStep["context"] {
  const loopDir = resolve(dir, "..", "..");
  const hash = createHash("sha256").update(loopDir).digest("hex").slice(0, 6);
  const loop =
    basename(loopDir)
      .replace(/[^A-Za-z0-9]/g, "-")
      .slice(0, 16) || "loop";
  const again = numAsides === 0 ? "" : `-r${numAsides}`;
  const runDir = join(runsDir, `l-${loop}-${hash}-${basename(dir)}-${name}${again}`);
  return { ...context, runDir, resume: true, overwrite: false };
}

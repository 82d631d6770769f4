import { readFile } from "node:fs/promises";
import { join, resolve } from "node:path";
import { StagecraftError } from "@stagecraft/core";
import type { StageContext, StageDefinition, StageResult } from "@stagecraft/runs";
import { ppoSchema, type PpoConfig } from "@stagecraft/ppo";
import { mapPaths } from "@stagecraft/service-trainer";
import { runOnTrainer } from "./run-on-trainer.js";
import { ppoOverServices } from "../stages/ppo-stage.js";
import type { ClusterLayout, ClusterStatus } from "@stagecraft/cluster";

/** PPO on a running cluster, whose models, engine and threads are the defaults. */
export function ppoOnCluster(
  layout: ClusterLayout,
  status: ClusterStatus,
): StageDefinition<PpoConfig> {
  const { policy, rewardModel, rewardModels, engine, threads } = ppoSchema.shape;
  return {
    ...ppoOverServices,
    schema: ppoSchema.extend({
      policy: policy.default(status.models.policy),
      rewardModel: rewardModel.default(status.models.reward),
      rewardModels: rewardModels.default([...status.models.further]),
      engine: engine.default(status.engine.engine),
      threads: threads.default(status.engine.threads),
    }),
    run: (config, context) => runOnCluster(config, context, { layout, status }),
  };
}

/** Throws `failed_precondition` when the cluster serves other models than the configuration wants. */
async function runOnCluster(
  config: PpoConfig,
  context: StageContext,
  { layout, status }: { layout: ClusterLayout; status: ClusterStatus },
): Promise<StageResult> {
  const absolute = mapPaths(config, (path) => resolve(path));
  checkRewardModels(absolute, status);
  await checkPolicy(absolute.policy, status.models.policy);
  return await runOnTrainer({ layout, status }, { stage: "ppo", config }, context);
}

/** Of `name=directory`. */
function absoluteEntry(entry: string): string {
  const at = entry.indexOf("=");
  return `${entry.slice(0, at)}=${resolve(entry.slice(at + 1))}`;
}

function checkRewardModels({ rewardModel, rewardModels }: PpoConfig, { models }: ClusterStatus) {
  const served = models.further.map(absoluteEntry);
  const others = rewardModels.filter((entry) => !served.includes(entry));
  if (rewardModel === models.reward && others.length === 0) return;
  const wanted = rewardModel === models.reward ? others.join(", ") : rewardModel;
  const serves = [models.reward, ...served].join(", ");
  throw new StagecraftError(
    "failed_precondition",
    `the run wants the reward model ${wanted} and the cluster serves ${serves}; ` +
      "leave the flag out, or start the cluster with --reward-model and --reward-models",
  );
}

/** Other weights are published to the policies before they answer; another architecture does not fit. */
export async function checkPolicy(wanted: string, served: string): Promise<void> {
  if (wanted === served) return;
  for (const file of ["config.json", "tokenizer.json"]) {
    const [a, b] = await Promise.all([wanted, served].map((dir) => readFile(join(dir, file))));
    if (a!.equals(b!)) continue;
    throw new StagecraftError(
      "failed_precondition",
      `the run's policy ${wanted} and the one that the cluster serves, ${served}, differ in ${file}; ` +
        "start the cluster with --policy-model",
    );
  }
}

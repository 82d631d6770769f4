import type { StageContext, StageDefinition, StageResult } from "@stagecraft/runs";
import { engineOptions } from "@stagecraft/fields";
import { ppoStage, type PpoConfig } from "@stagecraft/ppo";
import type { RewardPort } from "@stagecraft/service-rollout";
import { initEngine } from "@stagecraft/tensor";
import { createEmbeddedCluster } from "../embedded/embedded-cluster.js";

/** PPO through policy, reward-model, rollout and trainer service, all hosted in this process. */
export const ppoOverServices: StageDefinition<PpoConfig> = {
  ...ppoStage,
  summary: "improve a model against a reward model by PPO, through the real services",
  run: (config, context) => runPpoOverServices(config, context),
};

/**
 * Starts the services, runs PPO on the trainer, stops them. `extraRewards` are logged with every
 * answer and never learnt from, such as a gold score.
 */
export async function runPpoOverServices(
  config: PpoConfig,
  context: StageContext,
  extraRewards: readonly RewardPort[] = [],
): Promise<StageResult> {
  const { policy, rewardModel, rewardModels } = config;
  await initEngine(engineOptions(config));
  await using cluster = await createEmbeddedCluster({
    policyModelDir: policy,
    policyChat: config,
    rewardModelDir: rewardModel,
    rewardModels,
    runDir: context.runDir,
    extraRewards,
  });
  return await cluster.runPpo(config, context);
}

import { readFile } from "node:fs/promises";
import { dirname, join, relative, resolve } from "node:path";
import { trainer } from "@stagecraft/contracts";
import { StagecraftError } from "@stagecraft/core";
import type { StageContext, StageDefinition, StageResult } from "@stagecraft/runs";
import { ppoSchema, type PpoConfig } from "@stagecraft/ppo";
import { createRpcClient } from "@stagecraft/rpc";
import { mapPaths } from "@stagecraft/service-trainer";
import { runRemotely } from "./run-remotely.js";
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

interface Target {
  layout: ClusterLayout;
  status: ClusterStatus;
}

/** Throws `failed_precondition` when the cluster serves other models than the configuration wants. */
async function runOnCluster(
  config: PpoConfig,
  context: StageContext,
  { layout, status }: Target,
): Promise<StageResult> {
  const runId = runIdOf(context.runDir, status.runsDir);
  // The trainer works in another folder than this command.
  const absolute = mapPaths(config, (path) => resolve(path));
  checkRewardModels(absolute, status);
  await checkPolicy(absolute.policy, status.models.policy);
  await using client = createRpcClient(
    trainer.TrainerServiceClient,
    `file:${layout.addressesOf("trainer")}`,
    { idempotent: ["createRun", "getRun", "cancelRun"] },
  );
  const run = { runId, stage: "ppo", config: absolute, runDirName: runId };
  return await runRemotely(client, run, context);
}

/** The trainer finds its runs again by their folders, so a run's folder stands directly in runs. */
function runIdOf(runDir: string, runsDir: string): string {
  const name = relative(runsDir, resolve(runDir));
  if (dirname(name) === "." && /^[A-Za-z0-9][A-Za-z0-9_-]{0,47}$/.test(name)) return name;
  throw new StagecraftError(
    "invalid_argument",
    `--run ${runDir}: this cluster's trainer keeps its runs in ${runsDir}; choose ${join(runsDir, "NAME")} with a NAME of up to 48 letters, digits, - and _`,
  );
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
async function checkPolicy(wanted: string, served: string): Promise<void> {
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

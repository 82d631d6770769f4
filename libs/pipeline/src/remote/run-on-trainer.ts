import { dirname, join, relative, resolve } from "node:path";
import type { ClusterLayout, ClusterStatus } from "@stagecraft/cluster";
import { trainer } from "@stagecraft/contracts";
import { StagecraftError } from "@stagecraft/core";
import { createRpcClient } from "@stagecraft/rpc";
import type { StageContext, StageResult } from "@stagecraft/runs";
import { mapPaths } from "@stagecraft/service-trainer";
import { runRemotely } from "./run-remotely.js";

/** A cluster of this machine that is up. */
export interface ClusterTarget {
  layout: Pick<ClusterLayout, "addressesOf">;
  status: Pick<ClusterStatus, "runsDir" | "models" | "engine">;
}

/** Runs a stage on the cluster's trainer, in the context's run directory. */
export async function runOnTrainer(
  { layout, status }: ClusterTarget,
  { stage, config }: { stage: string; config: object },
  context: StageContext,
): Promise<StageResult> {
  const runId = runIdOf(context.runDir, status.runsDir);
  // The trainer works in another folder than this command.
  const absolute = mapPaths(config, (path) => resolve(path));
  await using client = createRpcClient(
    trainer.TrainerServiceClient,
    `file:${layout.addressesOf("trainer")}`,
    { idempotent: ["createRun", "getRun", "cancelRun"] },
  );
  const run = { runId, stage, config: absolute, runDirName: runId };
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

import { existsSync } from "node:fs";
import { setTimeout as delay } from "node:timers/promises";
import { acquireDirectoryLock } from "@stagecraft/checkpoint";
import { StagecraftError } from "@stagecraft/core";
import { connectControl } from "./control/client.js";
import { CLUSTER_LOCK, type ClusterLayout } from "./layout.js";
import { endOrphans } from "./orphans.js";
import type { StopOutcome } from "./supervised-process.js";

const GRACE_MS = 30_000;

/**
 * Ends the cluster of a folder. One that has no control socket yet is told by signal, and undefined
 * returned. What a killed supervisor left is ended too. Throws `not_found` when nothing runs.
 */
export async function stopCluster(layout: ClusterLayout): Promise<StopOutcome[] | undefined> {
  try {
    const ended = await connectControl(layout).stop();
    await lockIsFree(layout);
    return ended;
  } catch (error) {
    if (StagecraftError.from(error).code !== "not_found") throw error;
    const holder = await lockHolder(layout);
    if (holder !== undefined) {
      process.kill(holder, "SIGTERM");
      await lockIsFree(layout);
      return undefined;
    }
    const orphans = await endOrphans(layout.processes, GRACE_MS);
    if (orphans.length === 0) throw error;
    return orphans.map((name) => ({ name, how: "drained", exit: "", durationMs: 0 }));
  }
}

/** So that an `up` right after finds the folder free. */
async function lockIsFree(layout: ClusterLayout): Promise<void> {
  while ((await lockHolder(layout)) !== undefined) await delay(50);
}

/** The process that runs the folder's cluster; the lock tells it from one that was given its number. */
async function lockHolder({ dir }: ClusterLayout): Promise<number | undefined> {
  if (!existsSync(dir)) return undefined;
  try {
    await (await acquireDirectoryLock(dir, CLUSTER_LOCK)).release();
    return undefined;
  } catch (thrown) {
    const { pid } = StagecraftError.from(thrown).details;
    if (typeof pid === "number") return pid;
    throw thrown;
  }
}

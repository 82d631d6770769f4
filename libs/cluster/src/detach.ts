import { spawn } from "node:child_process";
import { closeSync, mkdirSync, openSync, rmSync } from "node:fs";
import { join } from "node:path";
import type { Writable } from "node:stream";
import { setTimeout as delay } from "node:timers/promises";
import { StagecraftError, throwIfAborted } from "@stagecraft/core";
import { connectControl } from "./control/client.js";
import type { ClusterLayout } from "./layout.js";
import { lastLogLine } from "./log-tail.js";
import type { ClusterStatus } from "./status/types.js";

const POLL_MS = 200;

/**
 * Runs this command line again without `--detach`, in the background, and resolves when the cluster is
 * up. Throws what the other process says when it ends instead.
 */
export async function detachCluster(
  layout: ClusterLayout,
  { io, signal }: { io: { err: Writable }; signal: AbortSignal },
): Promise<ClusterStatus> {
  mkdirSync(layout.logs, { recursive: true });
  const logFile = join(layout.logs, "supervisor.log");
  rmSync(logFile, { force: true });
  const log = openSync(logFile, "a"); // it may be emptied while it is written
  const args = process.argv.slice(1).filter((arg) => arg !== "--detach" && arg !== "--json");
  const child = spawn(process.execPath, args, { detached: true, stdio: ["ignore", log, log] });
  closeSync(log);
  child.unref();
  let ended: string | undefined;
  child.once("exit", (code, by) => (ended = by ?? `exit code ${code}`));
  child.once("error", (error) => (ended = error.message));
  io.err.write(`starting in the background; log: ${logFile}\n`);
  const control = connectControl(layout);
  for (;;) {
    if (ended !== undefined) {
      const reason = (await lastLogLine(logFile)).replace(/^\[\w+\] /, "");
      throw new StagecraftError("failed_precondition", reason === "" ? ended : reason);
    }
    if (signal.aborted && child.pid !== undefined) child.kill("SIGTERM");
    throwIfAborted(signal);
    const status = await control.status().catch(() => undefined);
    if (status) return status;
    await delay(POLL_MS);
  }
}

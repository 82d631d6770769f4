import { spawnSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { setTimeout as delay } from "node:timers/promises";

/** Processes that were started for a cluster, as its folder remembers them. */
export interface RememberedProcess {
  name: string;
  pid: number;
  /** A piece of its command line that no other process has. */
  mark: string;
}

/**
 * Ends what a supervisor that was killed has left behind and returns the names: SIGTERM, SIGKILL after
 * the grace. A process id that belongs to something else by now is left alone.
 */
export async function endOrphans(file: string, graceMs: number): Promise<string[]> {
  const left = (await readRemembered(file)).filter(isThatProcess);
  for (const { pid } of left) signal(pid, "SIGTERM");
  const endsAt = performance.now() + graceMs;
  while (left.some(isThatProcess) && performance.now() < endsAt) await delay(50);
  for (const orphan of left.filter(isThatProcess)) signal(orphan.pid, "SIGKILL");
  while (left.some(isThatProcess)) await delay(20);
  return left.map(({ name }) => name);
}

async function readRemembered(file: string): Promise<RememberedProcess[]> {
  if (!existsSync(file)) return [];
  try {
    return JSON.parse(await readFile(file, "utf8")) as RememberedProcess[];
  } catch {
    return []; // torn by a power failure, after which no process is left either
  }
}

function isThatProcess({ pid, mark }: RememberedProcess): boolean {
  return pid > 0 && commandLine(pid).includes(mark);
}

/** Empty when there is no such process, or only what its parent has not yet taken note of. */
function commandLine(pid: number): string {
  if (!existsSync("/proc/self/cmdline")) {
    return spawnSync("ps", ["-o", "args=", "-p", `${pid}`], { encoding: "utf8" }).stdout ?? "";
  }
  try {
    return readFileSync(`/proc/${pid}/cmdline`, "utf8").replaceAll("\0", " ");
  } catch {
    return "";
  }
}

function signal(pid: number, name: NodeJS.Signals): void {
  try {
    process.kill(pid, name);
  } catch {
    // It has ended in the meantime.
  }
}

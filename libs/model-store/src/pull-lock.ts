import { readdir, stat } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { acquireDirectoryLock, type DirectoryLock } from "@stagecraft/checkpoint";
import { StagecraftError, throwIfAborted } from "@stagecraft/core";

export interface PullLockOptions {
  /** Where what comes in lies, which grows while the other one works. */
  partial: string;
  /** How long it may stand still before we go on in the other one's place. */
  patienceMs: number;
  say: (text: string) => void;
  signal?: AbortSignal | undefined;
}

const LOOK_MS = 200;

/**
 * Makes this process the one that fills a directory; waits while another one does. Whether one on another
 * machine lives is not known here: when nothing comes in for long, its place is taken. Should it live after
 * all, its next `check()` ends it, and hashes tell what both have written.
 */
export async function lockTarget(
  target: string,
  { partial, patienceMs, say, signal }: PullLockOptions,
): Promise<DirectoryLock> {
  let size = -1;
  let waitedMs = 0;
  for (let epoch = 1; ;) {
    throwIfAborted(signal);
    const file = `.${basename(target)}.lock`;
    try {
      return await acquireDirectoryLock(dirname(target), { file, what: "folder", epoch });
    } catch (thrown) {
      const { code, details } = StagecraftError.from(thrown);
      if (code !== "failed_precondition") throw thrown;
      if (size === -1) say(`${target}: ${whoOf(details)} brings it already; waiting for it`);
    }
    const before = size;
    size = await sizeOf(partial);
    waitedMs = size === before ? waitedMs + LOOK_MS : 0;
    if (waitedMs >= patienceMs) {
      say(`${target}: nothing has come in for ${patienceMs / 1000} s; going on in its place`);
      [epoch, waitedMs] = [epoch + 1, 0];
      continue;
    }
    await delay(LOOK_MS, undefined, { signal }).catch(() => undefined);
  }
}

function whoOf({ pid, host }: Readonly<Record<string, unknown>>): string {
  return pid === undefined ? "another process" : `process ${String(pid)} on ${String(host)}`;
}

async function sizeOf(dir: string): Promise<number> {
  const names = await readdir(dir, { recursive: true }).catch(() => []);
  const sizes = await Promise.all(
    names.map((name) =>
      stat(join(dir, name)).then(
        ({ size }) => size,
        () => 0,
      ),
    ),
  );
  return sizes.reduce((sum, size) => sum + size, 0);
}

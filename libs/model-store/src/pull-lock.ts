import { readdir, stat, utimes } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { acquireDirectoryLock, type DirectoryLock } from "@stagecraft/checkpoint";
import { StagecraftError, throwIfAborted } from "@stagecraft/core";

export interface PullLockOptions {
  /** Where what comes in lies, which grows while the other one works. */
  partial: string;
  /** How long it may stand still, and the lock untouched, before we go on in the other one's place. */
  patienceMs: number;
  say: (text: string) => void;
  signal?: AbortSignal | undefined;
}

export interface TargetLock extends DirectoryLock {
  /** Whether another one's patience ran out: that one may live and still write, so look at every file's hash. */
  tookOver: boolean;
}

const LOOK_MS = 200;
const TOUCH_MS = 5000;

/**
 * Makes this process the one that fills a directory, which touches its lock while it works; waits while another
 * one does. Whether one on another machine lives is not known here: when it touches nothing and nothing comes in
 * for long, its place is taken. Should it live after all, its next `check()` ends it.
 */
export async function lockTarget(target: string, options: PullLockOptions): Promise<TargetLock> {
  const { partial, patienceMs, say, signal } = options;
  const name = `.${basename(target)}.lock`;
  const file = join(dirname(target), name);
  let life: string | undefined;
  let since = 0;
  for (let epoch = 1; ;) {
    throwIfAborted(signal);
    let holderEpoch: number;
    try {
      const lock = await acquireDirectoryLock(dirname(target), {
        file: name,
        what: "folder",
        epoch,
      });
      return { ...touched(lock, file), tookOver: epoch > 1 };
    } catch (thrown) {
      const { code, details } = StagecraftError.from(thrown);
      if (code !== "failed_precondition") throw thrown;
      if (life === undefined) say(`${target}: ${whoOf(details)} brings it already; waiting for it`);
      holderEpoch = Number(details["epoch"] ?? 1);
    }
    epoch = 1;
    const before = life;
    life = `${await timeOf(file)} ${await sizeOf(partial)}`;
    const now = performance.now(); // not a count of looks, which take long on a slow volume
    if (life !== before) since = now;
    if (now - since >= patienceMs) {
      say(`${target}: nothing has come in for ${patienceMs / 1000} s; going on in its place`);
      [epoch, since] = [holderEpoch + 1, now];
      continue;
    }
    await delay(LOOK_MS, undefined, { signal }).catch(() => undefined);
  }
}

/** The lock, touched now and then until it is released or another one's. */
function touched(lock: DirectoryLock, file: string): DirectoryLock {
  const timer = setInterval(() => {
    try {
      lock.check();
    } catch {
      clearInterval(timer);
      return;
    }
    void utimes(file, new Date(), new Date()).catch(() => undefined); // bytes that come in tell it too
  }, TOUCH_MS).unref();
  return {
    check: () => lock.check(),
    async release() {
      clearInterval(timer);
      await lock.release();
    },
  };
}

function whoOf({ pid, host }: Readonly<Record<string, unknown>>): string {
  return pid === undefined ? "another process" : `process ${String(pid)} on ${String(host)}`;
}

async function timeOf(file: string): Promise<number> {
  return stat(file).then(
    ({ mtimeMs }) => mtimeMs,
    () => 0,
  );
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

import { readFileSync } from "node:fs";
import { link, readFile, rename, rm, writeFile } from "node:fs/promises";
import { hostname } from "node:os";
import { dirname, join } from "node:path";
import { threadId } from "node:worker_threads";
import { createRandom, StagecraftError } from "@stagecraft/core";

/** A process, so that others can tell whether it still lives. */
export interface ProcessIdentity {
  pid: number;
  host: string;
  /** Tells a reused pid from the process meant; not everywhere known. */
  startTicks?: string;
}

/** Who holds a directory. */
interface LockOwner extends ProcessIdentity {
  token: string;
  lockedAt: string;
  /** Of the worker thread that holds it; 0 is the main thread. */
  threadId?: number;
  epoch?: number;
}

export interface DirectoryLock {
  /** Throws `aborted` when another process has taken the directory over. Costs one small read. */
  check(): void;
  release(): Promise<void>;
}

export interface LockOptions {
  /** Name of the lock's file in the directory. */
  file: string;
  /** What the directory is, for the message to whoever comes second: "run directory". */
  what: string;
  /**
   * Number of the lease that makes this process the writer. It takes the directory from a holder with
   * a smaller number even when that one lives: it may be stopped, or on a machine nobody reaches. A
   * holder without such a number keeps it.
   */
  epoch?: number | undefined;
}

/**
 * Takes the directory for this process, or throws `failed_precondition` naming the process that has
 * it. A lock left by a process of this machine that no longer lives is taken over; one from another
 * host cannot be judged and is respected.
 */
export async function acquireDirectoryLock(
  directory: string,
  { file: name, what, epoch }: LockOptions,
): Promise<DirectoryLock> {
  const file = join(directory, name);
  const owner = await describeOwner(epoch);
  for (let attempt = 0; attempt < 3; attempt++) {
    if (await createExclusively(file, owner)) return lockOf(file, owner);
    const holder = await readOwner(file);
    if (holder === "gone") continue;
    const stands = holder !== "unreadable" && !isOutlived(holder, epoch);
    if (stands && (await isProcessAlive(holder))) throw lockedBy({ file, what }, holder);
    await removeStale(file, holder);
  }
  throw new StagecraftError(
    "failed_precondition",
    `another process is taking ${directory} right now`,
  );
}

/** The living process that holds the directory; one of another host counts as alive. */
export async function directoryHolder(
  directory: string,
  { file }: Pick<LockOptions, "file">,
): Promise<ProcessIdentity | undefined> {
  const holder = await readOwner(join(directory, file));
  return typeof holder === "object" && (await isProcessAlive(holder)) ? holder : undefined;
}

/** Takes away the lock of a worker thread of this process that is gone; any other lock stays. */
export async function releaseLockOfThread(
  directory: string,
  { file: name, threadId: ended }: Pick<LockOptions, "file"> & { threadId: number },
): Promise<void> {
  const file = join(directory, name);
  const holder = await readOwner(file);
  if (typeof holder !== "object" || holder.threadId !== ended) return;
  const own = await thisProcess();
  const isOurs = holder.pid === own.pid && holder.host === own.host;
  if (isOurs && holder.startTicks === own.startTicks) await releaseIfOurs(file, holder);
}

function lockOf(file: string, owner: LockOwner): DirectoryLock {
  return {
    check() {
      const holder = parseOwner(readIfThere(file));
      if (typeof holder === "object" && holder.token === owner.token) return;
      throw takenOver(file, holder);
    },
    release: () => releaseIfOurs(file, owner),
  };
}

function isOutlived(holder: LockOwner, epoch: number | undefined): boolean {
  // A holder without a lease, such as a command, is nobody's predecessor.
  return epoch !== undefined && holder.epoch !== undefined && holder.epoch < epoch;
}

function readIfThere(file: string): string | undefined {
  try {
    return readFileSync(file, "utf8");
  } catch {
    return undefined;
  }
}

async function createExclusively(file: string, owner: LockOwner): Promise<boolean> {
  // A complete file appears at once under the final name: a reader never sees half a lock.
  const draft = `${file}.${owner.token}`;
  await writeFile(draft, JSON.stringify(owner));
  try {
    await link(draft, file);
    return true;
  } catch (thrown) {
    if ((thrown as NodeJS.ErrnoException).code === "EEXIST") return false;
    throw StagecraftError.from(thrown);
  } finally {
    await rm(draft, { force: true });
  }
}

async function readOwner(file: string): Promise<LockOwner | "gone" | "unreadable"> {
  return parseOwner(await readFile(file, "utf8").catch(() => undefined));
}

function parseOwner(text: string | undefined): LockOwner | "gone" | "unreadable" {
  if (text === undefined) return "gone";
  try {
    const owner = JSON.parse(text) as LockOwner;
    return typeof owner.pid === "number" ? owner : "unreadable";
  } catch {
    return "unreadable"; // written by a machine that lost power before the content reached the disk
  }
}

/** False when the process is certainly gone; one of another host cannot be judged and counts as alive. */
export async function isProcessAlive(identity: ProcessIdentity): Promise<boolean> {
  if (identity.host !== hostname()) return true;
  try {
    process.kill(identity.pid, 0);
  } catch (thrown) {
    if ((thrown as NodeJS.ErrnoException).code === "ESRCH") return false;
  }
  const stat = await readStat(identity.pid);
  if (stat === undefined) return true;
  if (stat.isDead) return false;
  return identity.startTicks === undefined || stat.startTicks === identity.startTicks;
}

/** This process, as another one can recognise it. */
export async function thisProcess(): Promise<ProcessIdentity> {
  const startTicks = (await readStat(process.pid))?.startTicks;
  return {
    pid: process.pid,
    host: hostname(),
    ...(startTicks === undefined ? {} : { startTicks }),
  };
}

/** Moves the stale lock aside; puts it back when another process replaced it in the meantime. */
async function removeStale(file: string, stale: LockOwner | "unreadable"): Promise<void> {
  const aside = `${file}.${createRandom(`${process.pid}.${Date.now()}`).nextUint32()}.stale`;
  try {
    await rename(file, aside);
  } catch {
    return; // somebody else removed it first
  }
  const moved = await readOwner(aside);
  const wasReplaced =
    typeof moved === "object" && (typeof stale !== "object" || moved.token !== stale.token);
  if (wasReplaced) await link(aside, file).catch(() => undefined);
  await rm(aside, { force: true });
}

async function releaseIfOurs(file: string, owner: LockOwner): Promise<void> {
  const holder = await readOwner(file);
  if (typeof holder === "object" && holder.token === owner.token) await rm(file, { force: true });
}

async function describeOwner(epoch: number | undefined): Promise<LockOwner> {
  return {
    ...(await thisProcess()),
    token: `${process.pid}-${process.hrtime.bigint()}`,
    lockedAt: new Date().toISOString(),
    threadId,
    ...(epoch === undefined ? {} : { epoch }),
  };
}

/** State and start time (fields 3 and 22 of /proc/<pid>/stat); undefined where there is no /proc. */
async function readStat(pid: number): Promise<{ isDead: boolean; startTicks: string } | undefined> {
  try {
    const stat = await readFile(`/proc/${pid}/stat`, "utf8");
    const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    // A zombie is dead: only its parent has not asked yet.
    return { isDead: /^[ZX]/.test(fields[0]!), startTicks: fields[19]! };
  } catch {
    return undefined;
  }
}

function takenOver(file: string, holder: LockOwner | "gone" | "unreadable"): StagecraftError {
  const by = typeof holder === "object" ? ` by process ${holder.pid} on ${holder.host}` : "";
  return new StagecraftError(
    "aborted",
    `${dirname(file)} was taken over${by}; this process writes nothing more to it`,
    { details: { directory: dirname(file) } },
  );
}

function lockedBy({ file, what }: LockOptions, holder: LockOwner): StagecraftError {
  const { pid, host, epoch } = holder;
  const identity = { pid, host, ...(epoch === undefined ? {} : { epoch }) };
  return new StagecraftError(
    "failed_precondition",
    `${dirname(file)} is in use by process ${holder.pid} on ${holder.host} since ${holder.lockedAt}; ` +
      `choose another ${what}, stop that process, or, if it is on a machine that is gone, delete ${file}`,
    { details: { directory: dirname(file), ...identity } },
  );
}

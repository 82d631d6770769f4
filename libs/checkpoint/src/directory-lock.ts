import { link, readFile, rename, rm, writeFile } from "node:fs/promises";
import { hostname } from "node:os";
import { dirname, join } from "node:path";
import { createRandom, StagecraftError } from "@stagecraft/core";

/** Who holds a directory. `startTicks` tells a reused pid from the process that locked. */
interface LockOwner {
  pid: number;
  host: string;
  startTicks?: string;
  token: string;
  lockedAt: string;
}

export interface DirectoryLock {
  release(): Promise<void>;
}

export interface LockOptions {
  /** Name of the lock's file in the directory. */
  file: string;
  /** What the directory is, for the message to whoever comes second: "run directory". */
  what: string;
}

/**
 * Takes the directory for this process, or throws `failed_precondition` naming the process that has
 * it. A lock left by a process of this machine that no longer lives is taken over; one from another
 * host cannot be judged and is respected.
 */
export async function acquireDirectoryLock(
  directory: string,
  { file: name, what }: LockOptions,
): Promise<DirectoryLock> {
  const file = join(directory, name);
  const owner = await describeThisProcess();
  for (let attempt = 0; attempt < 3; attempt++) {
    if (await createExclusively(file, owner)) return { release: () => releaseIfOurs(file, owner) };
    const holder = await readOwner(file);
    if (holder === "gone") continue;
    if (holder !== "unreadable" && (await isAlive(holder))) throw lockedBy({ file, what }, holder);
    await removeStale(file, holder);
  }
  throw new StagecraftError(
    "failed_precondition",
    `another process is taking ${directory} right now`,
  );
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
  let text: string;
  try {
    text = await readFile(file, "utf8");
  } catch {
    return "gone";
  }
  try {
    const owner = JSON.parse(text) as LockOwner;
    return typeof owner.pid === "number" ? owner : "unreadable";
  } catch {
    return "unreadable"; // written by a machine that lost power before the content reached the disk
  }
}

async function isAlive(owner: LockOwner): Promise<boolean> {
  if (owner.host !== hostname()) return true;
  try {
    process.kill(owner.pid, 0);
  } catch (thrown) {
    if ((thrown as NodeJS.ErrnoException).code === "ESRCH") return false;
  }
  const ticks = await startTicks(owner.pid);
  return ticks === undefined || owner.startTicks === undefined || ticks === owner.startTicks;
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

async function describeThisProcess(): Promise<LockOwner> {
  const ticks = await startTicks(process.pid);
  return {
    pid: process.pid,
    host: hostname(),
    ...(ticks === undefined ? {} : { startTicks: ticks }),
    token: `${process.pid}-${process.hrtime.bigint()}`,
    lockedAt: new Date().toISOString(),
  };
}

/** Field 22 of /proc/<pid>/stat (start time in clock ticks); undefined where there is no /proc. */
async function startTicks(pid: number): Promise<string | undefined> {
  try {
    const stat = await readFile(`/proc/${pid}/stat`, "utf8");
    return stat.slice(stat.lastIndexOf(")") + 2).split(" ")[19];
  } catch {
    return undefined;
  }
}

function lockedBy({ file, what }: LockOptions, holder: LockOwner): StagecraftError {
  return new StagecraftError(
    "failed_precondition",
    `${dirname(file)} is in use by process ${holder.pid} on ${holder.host} since ${holder.lockedAt}; ` +
      `choose another ${what}, stop that process, or, if it is on a machine that is gone, delete ${file}`,
    { details: { directory: dirname(file), pid: holder.pid, host: holder.host } },
  );
}

import {
  acquireDirectoryLock,
  directoryHolder,
  releaseLockOfThread,
  type DirectoryLock,
} from "@stagecraft/checkpoint";

/** Held by the one process that works in a run directory. */
export type RunLock = DirectoryLock;

const LOCK_FILE = "run.lock";

/** See `acquireDirectoryLock`; a larger epoch takes the directory from a living process. */
export function acquireRunLock(runDir: string, epoch?: number): Promise<RunLock> {
  return acquireDirectoryLock(runDir, { file: LOCK_FILE, what: "run directory", epoch });
}

/** Who works in a run directory now, as people are told: `process 12 on host`; undefined = nobody. */
export async function runHolder(runDir: string): Promise<string | undefined> {
  const holder = await directoryHolder(runDir, { file: LOCK_FILE });
  return holder && `process ${holder.pid} on ${holder.host}`;
}

/** See `releaseLockOfThread`. */
export function releaseRunLockOfThread(runDir: string, threadId: number): Promise<void> {
  return releaseLockOfThread(runDir, { file: LOCK_FILE, threadId });
}

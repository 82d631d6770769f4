import { acquireDirectoryLock, type DirectoryLock } from "@stagecraft/checkpoint";

/** Held by the one process that works in a run directory. */
export type RunLock = DirectoryLock;

/** See `acquireDirectoryLock`; a larger epoch takes the directory from a living process. */
export function acquireRunLock(runDir: string, epoch?: number): Promise<RunLock> {
  return acquireDirectoryLock(runDir, { file: "run.lock", what: "run directory", epoch });
}

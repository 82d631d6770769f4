import { acquireDirectoryLock, type DirectoryLock } from "@stagecraft/checkpoint";

/** Held by the one process that works in a run directory. */
export type RunLock = DirectoryLock;

/** See `acquireDirectoryLock`. */
export function acquireRunLock(runDir: string): Promise<RunLock> {
  return acquireDirectoryLock(runDir, { file: "run.lock", what: "run directory" });
}

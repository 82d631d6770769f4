import { mkdir } from "node:fs/promises";
import { StagecraftError } from "@stagecraft/core";
import { acquireRunLock, readRunRecord } from "@stagecraft/runs";
import type { StartMode } from "./run-execution.js";

/**
 * Makes a folder the run's own: `write` is called while no other process works in it, and not at all
 * when one does or when it holds a run that is neither resumed nor overwritten.
 */
export async function takeRunDir(
  dir: string,
  { resume, overwrite, epoch }: StartMode,
  write: () => void,
): Promise<void> {
  await mkdir(dir, { recursive: true });
  const lock = await acquireRunLock(dir, epoch);
  try {
    const earlier = resume || overwrite ? undefined : await readRunRecord(dir);
    if (earlier) {
      throw new StagecraftError(
        "failed_precondition",
        `${dir} already holds a run of ${earlier.stage} (${earlier.state}); resume it, overwrite it, or choose another run_dir`,
        { details: { runDir: dir } },
      );
    }
    write();
  } finally {
    await lock.release();
  }
}

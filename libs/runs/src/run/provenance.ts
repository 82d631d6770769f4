import { execFile } from "node:child_process";
import { arch, availableParallelism, cpus, platform, totalmem } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

/** What a run was computed on. */
export interface Machine {
  /** Such as "AMD EPYC 7B13"; "unknown" where the system does not say. */
  cpu: string;
  /** Threads that this process may use. */
  cores: number;
  memoryBytes: number;
  /** Such as "linux x64". */
  system: string;
}

/** The machine of this process. */
export function thisMachine(): Machine {
  return {
    cpu: cpus()[0]?.model.trim() ?? "unknown",
    cores: availableParallelism(),
    memoryBytes: totalmem(),
    system: `${platform()} ${arch()}`,
  };
}

const PACKAGE = fileURLToPath(new URL("../..", import.meta.url));
let commit: Promise<string | undefined> | undefined;

/**
 * The commit that this program was started from, "+ changes" when files differ from it. Undefined where
 * that is not known: installed from a package, without git.
 */
export function thisCommit(): Promise<string | undefined> {
  commit ??= commitOf(PACKAGE);
  return commit;
}

/** The commit of the repository that has this package as `libs/runs`; undefined for any other. */
export async function commitOf(dir: string): Promise<string | undefined> {
  const git = async (...args: string[]) =>
    (await promisify(execFile)("git", ["-C", dir, ...args])).stdout.trim();
  try {
    const [top = "", sha = ""] = (await git("rev-parse", "--show-toplevel", "HEAD")).split("\n");
    // A project that uses our package has a commit of its own, which says nothing of our code.
    if (join(top, "libs", "runs") !== join(dir, ".")) return undefined;
    const changed = await git("status", "--porcelain", "--untracked-files=no");
    return changed === "" ? sha : `${sha} + changes`;
  } catch {
    return undefined; // no git, or no repository
  }
}

import { fileTargets } from "./file-targets.js";
import type { HostileTarget } from "./hostile-target.js";
import { messageTargets } from "./message-targets.js";

/** Every message of RPCs and bus, and every file format; `dir` is for files. Add attacks here. */
export async function hostileTargets(dir: string): Promise<HostileTarget[]> {
  return [...messageTargets(), ...(await fileTargets(dir))];
}

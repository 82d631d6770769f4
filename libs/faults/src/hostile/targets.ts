import type { Random } from "@stagecraft/core";
import { fileTargets } from "./file-targets.js";
import { messageTargets } from "./message-targets.js";

/** Something that reads what others wrote. */
export interface HostileTarget {
  name: string;
  /** Of an RPC: its full path, to attack a server with. */
  path?: string;
  /** The next input; equal generators give equal inputs. */
  make(random: Random): Uint8Array;
  /** Reads it; may throw a StagecraftError and nothing else. */
  read(input: Uint8Array): unknown;
}

/** Every message of RPCs and bus, and every file format; `dir` is for files. Add attacks here. */
export async function hostileTargets(dir: string): Promise<HostileTarget[]> {
  return [...messageTargets(), ...(await fileTargets(dir))];
}

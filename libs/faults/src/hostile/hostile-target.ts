import type { Random } from "@stagecraft/core";

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

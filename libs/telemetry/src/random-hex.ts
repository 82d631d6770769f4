import { randomFillSync } from "node:crypto";

/** Filled in one go: asking the system for eight bytes costs as much as for thousands. */
const POOL = Buffer.alloc(4096);
let used = POOL.length;

/** So many random bytes as hexadecimal digits; `numBytes` up to 4096. */
export function randomHex(numBytes: number): string {
  if (used + numBytes > POOL.length) {
    randomFillSync(POOL);
    used = 0;
  }
  used += numBytes;
  return POOL.toString("hex", used - numBytes, used);
}

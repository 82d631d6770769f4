import type { policy } from "@stagecraft/contracts";

type Spelled = Pick<policy.TokenDetail, "bytes" | "special">;

const utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** A token as OpenAI spells it: its text, the name of a special one, or `bytes:\xe2\x82` for half a character. */
export function tokenName({ bytes }: Spelled): string {
  try {
    return utf8.decode(bytes);
  } catch {
    return `bytes:${Array.from(bytes, (byte) => `\\x${byte.toString(16).padStart(2, "0")}`).join("")}`;
  }
}

/** Its bytes; null where it stands for none. */
export function tokenBytes({ bytes, special }: Spelled): number[] | null {
  return special ? null : Array.from(bytes);
}

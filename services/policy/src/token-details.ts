import type { policy } from "@stagecraft/contracts";
import type { TopToken } from "@stagecraft/model";
import type { Tokenizer } from "@stagecraft/tokenizer";

/** What a token stands for, and what else could have stood in its place. */
export function describeToken(
  tokenizer: Tokenizer,
  id: number,
  top: readonly TopToken[],
): policy.TokenDetail {
  return {
    ...spell(tokenizer, id),
    top: top.map(({ id: other, logProb }) => ({
      id: other,
      logProb: Math.fround(logProb), // as over a connection
      ...spell(tokenizer, other),
    })),
  };
}

/** The bytes of a token of text; the name of a special one; nothing for an id without a token. */
function spell(tokenizer: Tokenizer, id: number): { bytes: Buffer; special: boolean } {
  if (!tokenizer.hasToken(id)) return { bytes: Buffer.alloc(0), special: true };
  if (tokenizer.byteLengths[id] === 0) {
    return { bytes: Buffer.from(tokenizer.tokenOf(id)), special: true };
  }
  return { bytes: Buffer.from(tokenizer.decodeBytes([id])), special: false };
}

import type { Tokenizer } from "@stagecraft/tokenizer";

/** A rendered conversation, and which of its tokens are learnt. */
export interface MarkedRendering {
  text: string;
  ids: readonly number[];
  /** 1 where a token is learnt; without it nothing is marked. */
  mask?: readonly number[];
}

/** The text with what is learnt between ⟦ and ⟧. */
export function markedText(tokenizer: Tokenizer, { text, ids, mask }: MarkedRendering): string {
  if (mask === undefined) return text;
  const parts = ids.map((id, i) => {
    const open = mask[i] === 1 && mask[i - 1] !== 1 ? "⟦" : "";
    const close = mask[i] === 1 && mask[i + 1] !== 1 ? "⟧" : "";
    return [
      Buffer.from(open),
      tokenizer.decodeBytes([id], { skipSpecials: false }),
      Buffer.from(close),
    ];
  });
  return Buffer.concat(parts.flat()).toString("utf8");
}

import { StagecraftError } from "@stagecraft/core";
import type { Tokenizer } from "../tokenizer.js";
import type { Span } from "./learnt-spans.js";

type Encoder = Pick<Tokenizer, "byteLengths"> & {
  /** Ids of the text from its beginning. */
  encode(text: string): Int32Array;
};

/**
 * 1 on every token of `ids` with a character inside a span, as transformers counts them: a token over the
 * edge belongs to the span.
 * @param ids of the whole text
 */
export function maskOf(encoder: Encoder, text: string, ids: Int32Array, spans: readonly Span[]) {
  const mask = new Uint8Array(ids.length);
  for (const { start, end } of spans) {
    if (start >= end) continue;
    const first = placeOf(encoder, ids, text.slice(0, start));
    const last = placeOf(encoder, ids, text.slice(0, end));
    mask.fill(1, first.index, last.isOver ? last.index + 1 : last.index);
  }
  return mask;
}

/**
 * The first token that is not wholly inside a prefix of the text, and whether it begins there: found by
 * encoding the prefix alone, and, where other tokens come out at its end, by counting their bytes.
 */
function placeOf(encoder: Encoder, ids: Int32Array, prefix: string) {
  const alone = encoder.encode(prefix);
  let same = 0;
  while (same < alone.length && alone[same] === ids[same]) same++;
  if (same === alone.length) return { index: same, isOver: false };
  const size = (some: Int32Array) =>
    some.reduce((sum, id) => sum + (encoder.byteLengths[id] ?? 0), 0);
  const wanted = size(alone.subarray(same));
  for (let index = same, done = 0; index < ids.length; index++) {
    if (done === wanted) return { index, isOver: false };
    const next = done + size(ids.subarray(index, index + 1));
    if (next > wanted) return { index, isOver: true };
    done = next;
  }
  throw new StagecraftError(
    "invalid_argument",
    "the tokens of an answer cannot be told from those around it: the tokenizer's normalizer changes " +
      "the text at its edge; leave the conversation out",
  );
}

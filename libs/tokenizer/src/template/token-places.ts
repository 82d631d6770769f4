import { StagecraftError } from "@stagecraft/core";
import type { Tokenizer } from "../tokenizer.js";
import type { Span } from "./learnt-spans.js";

type Encoder = Pick<Tokenizer, "byteLengths"> & {
  /** Ids of the text from its beginning. */
  encode(text: string): Int32Array;
  /** The last special token that the text spells. */
  lastSpecial(text: string): { at: number; id: number | undefined } | undefined;
};

/** A place from which the text is encoded as the whole is: its beginning, or a special token. */
interface Anchor {
  /** The character, and the token. */
  at: number;
  index: number;
}

/**
 * 1 on every token of `ids` with a character inside a span, as transformers counts them: a token over the
 * edge belongs to the span. Takes time in proportion to the text, where special tokens divide it.
 * @param ids of the whole text
 * @param spans in the order of the text
 */
export function maskOf(encoder: Encoder, text: string, ids: Int32Array, spans: readonly Span[]) {
  const mask = new Uint8Array(ids.length);
  let anchor: Anchor = { at: 0, index: 0 };
  const placeAt = (edge: number) => {
    const piece = text.slice(anchor.at, edge);
    const alone = encoder.encode(piece);
    const place = placeOf(encoder, ids.subarray(anchor.index), alone);
    const found = { ...place, index: anchor.index + place.index };
    if (place.index === alone.length) anchor = laterAnchor(encoder, { anchor, piece, alone });
    return found;
  };
  for (const { start, end } of spans) {
    if (start >= end) continue;
    const first = placeAt(start);
    const last = placeAt(end);
    mask.fill(1, first.index, last.isOver ? last.index + 1 : last.index);
  }
  return mask;
}

/** The last special token of a piece, when what follows it is encoded alike without what goes before. */
function laterAnchor(
  encoder: Encoder,
  { anchor, piece, alone }: { anchor: Anchor; piece: string; alone: Int32Array },
): Anchor {
  const special = encoder.lastSpecial(piece);
  const index = special?.id === undefined ? -1 : alone.lastIndexOf(special.id);
  if (special === undefined || index <= 0) return anchor;
  const rest = encoder.encode(piece.slice(special.at));
  const isAlike =
    rest.length === alone.length - index && rest.every((id, i) => id === alone[index + i]);
  return isAlike ? { at: anchor.at + special.at, index: anchor.index + index } : anchor;
}

/**
 * The first token that is not wholly inside a prefix of the text, and whether it begins there: found by
 * the prefix's own ids, and, where other tokens come out at its end, by counting their bytes.
 */
function placeOf({ byteLengths }: Encoder, ids: Int32Array, alone: Int32Array) {
  let same = 0;
  while (same < alone.length && alone[same] === ids[same]) same++;
  if (same === alone.length) return { index: same, isOver: false };
  const size = (some: Int32Array) => some.reduce((sum, id) => sum + (byteLengths[id] ?? 0), 0);
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

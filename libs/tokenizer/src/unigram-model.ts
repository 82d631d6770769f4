/**
 * The model "Unigram" of tokenizer.json: of all ways to cut a piece into tokens the most probable one.
 * Source: `encode_optimized` of huggingface/tokenizers 0.2x (Viterbi; of equals the first found).
 */
import { byteFallback, notInVocabulary } from "./bpe-alphabet.js";
import type { IntBuffer } from "./int-buffer.js";
import { createLiteralTrie, type LiteralTrie } from "./literal-trie.js";
import type { PieceModel } from "./piece-model.js";
import type { TokenList } from "./token-list.js";
import type { UnigramJson } from "./tokenizer-json.js";

/** What an unknown character costs more than the least probable token. */
const UNKNOWN_PENALTY = 10;

/** @throws `invalid_argument` when a text has an unknown character and the model no token for it */
export function unigramModel(model: UnigramJson, list: TokenList): PieceModel {
  const scores = Float64Array.from(model.vocab, ([, score]) => score);
  const trie = createLiteralTrie(list.tokens);
  const bytesInto = byteFallback(model, list);
  const lattice: Lattice = {
    trie,
    scores,
    unknownScore:
      scores.reduce((least, score) => Math.min(least, score), Infinity) - UNKNOWN_PENALTY,
  };
  const unknownInto = (raw: Uint8Array, out: IntBuffer) => {
    if (bytesInto(raw, out)) return;
    if (typeof model.unk_id !== "number") throw notInVocabulary(raw);
    out.push(model.unk_id);
  };
  return {
    encodeRaw: unknownInto,
    encodePiece(piece, out) {
      for (const { start, end, id } of bestCut(piece, lattice)) {
        if (id >= 0) out.push(id);
        else unknownInto(Buffer.from(piece.slice(start, end), "utf8"), out);
      }
    },
  };
}

interface Lattice {
  trie: LiteralTrie;
  scores: Float64Array;
  unknownScore: number;
}

interface Cut {
  start: number;
  end: number;
  /** −1: unknown. */
  id: number;
}

/** The most probable tokens of a piece; unknown characters in a row are one cut. */
function bestCut(piece: string, { trie, scores, unknownScore }: Lattice): Cut[] {
  const best = new Float64Array(piece.length + 1);
  const starts = new Int32Array(piece.length + 1).fill(-1);
  const ids = new Int32Array(piece.length + 1);
  const offer = (cut: Cut, score: number) => {
    if (starts[cut.end]! >= 0 && score <= best[cut.end]!) return;
    best[cut.end] = score;
    starts[cut.end] = cut.start;
    ids[cut.end] = cut.id;
  };
  for (let start = 0; start < piece.length;) {
    const next = start + (piece.codePointAt(start)! > 0xffff ? 2 : 1);
    let hasCharacter = false;
    trie.forEachPrefix(piece, start, (end, id) => {
      offer({ start, end, id }, best[start]! + scores[id]!);
      hasCharacter ||= end === next;
    });
    if (!hasCharacter) offer({ start, end: next, id: -1 }, best[start]! + unknownScore);
    start = next;
  }
  return cutsTo(piece.length, starts, ids);
}

function cutsTo(length: number, starts: Int32Array, ids: Int32Array): Cut[] {
  const cuts: Cut[] = [];
  for (let end = length; end > 0; end = starts[end]!) {
    const after = cuts.at(-1);
    if (ids[end] === -1 && after?.id === -1) after.start = starts[end]!;
    else cuts.push({ start: starts[end]!, end, id: ids[end]! });
  }
  return cuts.reverse();
}

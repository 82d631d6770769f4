import type { Model } from "@stagecraft/model";
import { tf } from "@stagecraft/tensor";
import type { RankedPair } from "./ranking-loss.js";
import { packSequences, paddedCount } from "../batch/pack.js";

/** One judged prompt, tokenized: its K answers with the conversation before them. */
export interface RewardItem {
  /** K sequences, each ending with the token that is scored. */
  sequences: Int32Array[];
  /** Answer lengths in tokens, without the prompt. */
  lengths: number[];
  /** 1 = best, equal = tie. */
  ranks: number[];
  /** The pairs that are learnt from; default all strictly ordered ones. */
  pairs?: readonly RankedPair[];
  /** Target of classification (0 or 1) or regression (0 to 1) of each answer. */
  targets: number[];
}

/**
 * Sequences laid out for `Model.scores`; `lastIndex` follows the order of the sequences, behind which it may be
 * padded with row 0.
 */
export interface ScoreLayout {
  batchSize: number;
  length: number;
  ids: Int32Array;
  segments: Int32Array;
  positions: Int32Array;
  lastIndex: Int32Array;
}

/** Packs sequences into rows; `padId` fills the rest and is never read. */
export function layoutForScores(sequences: readonly Int32Array[], padId = 0): ScoreLayout {
  const { batchSize, length, places } = packSequences(sequences.map((ids) => ids.length));
  const size = batchSize * length;
  const layout: ScoreLayout = {
    batchSize,
    length,
    ids: new Int32Array(size).fill(padId),
    segments: new Int32Array(size),
    positions: new Int32Array(size),
    lastIndex: new Int32Array(paddedCount(sequences.length)),
  };
  sequences.forEach((ids, i) => {
    const { row, column, segment } = places[i]!;
    const start = row * length + column;
    layout.ids.set(ids, start);
    layout.segments.fill(segment, start, start + ids.length);
    for (let t = 0; t < ids.length; t++) layout.positions[start + t] = t;
    layout.lastIndex[i] = start + ids.length - 1;
  });
  return layout;
}

/** Scores of sequences in passes of at most `maxTokens` tokens; no gradient. */
export function scoreSequences(
  model: Model,
  sequences: readonly Int32Array[],
  maxTokens = 8192,
): Float32Array {
  const scores = new Float32Array(sequences.length);
  for (let start = 0; start < sequences.length;) {
    let end = start;
    let tokens = 0;
    while (
      end < sequences.length &&
      (end === start || tokens + sequences[end]!.length <= maxTokens)
    ) {
      tokens += sequences[end++]!.length;
    }
    const layout = layoutForScores(sequences.slice(start, end));
    scores.set(
      tf.tidy(() => model.scores(layout, layout.lastIndex).dataSync()).subarray(0, end - start),
      start,
    );
    start = end;
  }
  return scores;
}

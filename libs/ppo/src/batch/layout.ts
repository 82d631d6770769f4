import { StagecraftError } from "@stagecraft/core";
import { packSequences } from "@stagecraft/learn";
import type { Numbers } from "../math/masked.js";

/** What a policy read and wrote. */
export interface SequenceTokens {
  /** All of it, in order. */
  ids: Int32Array;
  /** Places in `ids` of the tokens that are learnt from, rising, none of them the first. [T] */
  trained: Int32Array;
}

/** A prompt and the answer that was sampled for it. */
export function answerTokens(promptIds: Int32Array, responseIds: Int32Array): SequenceTokens {
  const trained = responseIds.map((_, i) => promptIds.length + i);
  return { ids: Int32Array.from([...promptIds, ...responseIds]), trained };
}

/** The tokens that are learnt from. [T] */
export function trainedIds({ ids, trained }: SequenceTokens): Int32Array {
  return trained.map((place) => ids[place]!);
}

/**
 * Sequences laid out for one forward pass, N = batchSize × length. Flat row n holds the token that
 * is read; `targets[n]` is the trained token it predicts (−1 elsewhere), so that log-probs and
 * values at row n belong to the state BEFORE that token [reference 17].
 */
export interface RolloutLayout {
  batchSize: number;
  length: number;
  ids: Int32Array;
  targets: Int32Array;
  segments: Int32Array;
  positions: Int32Array;
  /** Flat row of every trained token, sequences end to end in their given order. */
  rows: Int32Array;
}

export interface LayoutOptions {
  /** Written into unused places; never read by attention or losses. */
  padId: number;
  /** Put several sequences into one row, kept apart by segments. Default true. */
  pack?: boolean;
}

/** Lays sequences out side by side, the longest one deciding the row length. */
export function layoutSequences(
  sequences: readonly SequenceTokens[],
  options: LayoutOptions,
): RolloutLayout {
  const { batchSize, length, places } = packSequences(sequences.map(inputLength), options.pack);
  const size = batchSize * length;
  const layout: RolloutLayout = {
    batchSize,
    length,
    ids: new Int32Array(size).fill(options.padId),
    targets: new Int32Array(size).fill(-1),
    segments: new Int32Array(size),
    positions: new Int32Array(size),
    rows: new Int32Array(sequences.reduce((sum, { trained }) => sum + trained.length, 0)),
  };
  let offset = 0;
  sequences.forEach((sequence, i) => {
    const { row, column, segment } = places[i]!;
    fillSequence(layout, sequence, { start: row * length + column, segment, offset });
    offset += sequence.trained.length;
  });
  return layout;
}

/** Values of trained tokens, end to end, put at their rows; 0 elsewhere. [N] */
export function scatterToRows(layout: RolloutLayout, values: Numbers): Float32Array {
  const flat = new Float32Array(layout.ids.length);
  for (let i = 0; i < layout.rows.length; i++) flat[layout.rows[i]!] = values[i]!;
  return flat;
}

/** The values at the trained tokens' rows, end to end. */
export function gatherFromRows(layout: RolloutLayout, flat: Numbers): Float32Array {
  return Float32Array.from(layout.rows, (row) => flat[row]!);
}

/** Cuts sequences (by index, in order) into micro-batches of at most `maxTokens` input tokens. */
export function microBatches(
  sequences: readonly SequenceTokens[],
  maxTokens: number,
): SequenceTokens[][] {
  const batches: SequenceTokens[][] = [];
  let used = Infinity;
  for (const sequence of sequences) {
    const length = inputLength(sequence);
    if (used + length > maxTokens) {
      batches.push([]);
      used = 0;
    }
    batches.at(-1)!.push(sequence);
    used += length;
  }
  return batches;
}

/** The last trained token is predicted but never read, nor is what follows it. */
function inputLength({ ids, trained }: SequenceTokens): number {
  if (trained.length > 0 && trained[0]! > 0 && trained.at(-1)! < ids.length) return trained.at(-1)!;
  throw new StagecraftError(
    "invalid_argument",
    `a rollout needs a prompt and an answer of at least one token each, got ${ids.length} tokens with ${trained.length} to learn from, the first at place ${trained[0] ?? "none"}`,
  );
}

function fillSequence(
  layout: RolloutLayout,
  sequence: SequenceTokens,
  { start, segment, offset }: { start: number; segment: number; offset: number },
): void {
  const { ids, trained } = sequence;
  for (let i = 0; i < inputLength(sequence); i++) {
    const n = start + i;
    layout.ids[n] = ids[i]!;
    layout.segments[n] = segment;
    layout.positions[n] = i;
  }
  trained.forEach((place, t) => {
    const n = start + place - 1;
    layout.targets[n] = ids[place]!;
    layout.rows[offset + t] = n;
  });
}

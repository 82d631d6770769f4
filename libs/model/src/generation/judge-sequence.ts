import { setImmediate as nextTurn } from "node:timers/promises";
import { throwIfAborted } from "@stagecraft/core";
import { embedding, paddedBatch, paddedSize, tf } from "@stagecraft/tensor";
import { readLogits } from "../model-forward.js";
import type { Model } from "../model.js";
import { logSoftmaxAt, topTokens, type TopToken } from "./top-tokens.js";

/** Logits that are held at once: 16 MiB. */
const MAX_LOGITS = 4 * 1024 * 1024;

/** Logits of fewer are no faster where a program is compiled for each number of them. */
const LEAST_ROWS = 64;

/** Each token of a sequence under the model, at temperature 1, in double precision from its logits. */
export interface JudgedTokens {
  /** log softmax(logits) of each token; 0 for the first, which nothing goes before. */
  readonly logProbs: number[];
  /** The likeliest in the place of each token; none for the first. */
  readonly tops: TopToken[][];
}

/** Judges every token of a sequence, with so many of the likeliest at each place. */
export async function judgeSequence(
  model: Model,
  ids: Int32Array,
  { numTop, signal }: { numTop: number; signal?: AbortSignal | undefined },
): Promise<JudgedTokens> {
  const logProbs = [0];
  const tops: TopToken[][] = [[]];
  await eachLogits(model, ids.subarray(0, -1), { from: 0, signal }, (logits, at) => {
    const id = ids[at + 1]!;
    const drawn = { id, logProb: logSoftmaxAt(logits, id) };
    logProbs.push(drawn.logProb);
    tops.push(topTokens(logits, { temperature: 1, count: numTop, drawn }));
  });
  return { logProbs, tops };
}

/**
 * The logits [V] after each token from place `from` on, one place after the other. The sequence goes
 * through the model alone and whole; the event loop turns between parts of its rows, where the signal
 * stops it.
 */
export async function eachLogits(
  model: Model,
  ids: Int32Array,
  { from, signal }: { from: number; signal?: AbortSignal | undefined },
  visit: (logits: Float32Array, at: number) => void,
): Promise<void> {
  if (from >= ids.length) return;
  const { vocabSize } = model.config;
  const hidden = model.hidden(alone(ids, model.config.maxPositions)); // [N or more, D]
  try {
    const numRows = Math.max(1, Math.floor(MAX_LOGITS / vocabSize));
    for (let start = from; start < ids.length; start += numRows) {
      throwIfAborted(signal);
      const count = Math.min(numRows, ids.length - start);
      const logits = logitsOf(
        model,
        hidden,
        start,
        Math.min(numRows, paddedSize(count, LEAST_ROWS)),
      );
      for (let row = 0; row < count; row++) {
        visit(logits.subarray(row * vocabSize, (row + 1) * vocabSize), start + row);
      }
      await nextTurn();
    }
  } finally {
    hidden.dispose();
  }
}

/** A batch of one sequence, with padding where the engine likes certain sizes. */
function alone(ids: Int32Array, maxPositions: number) {
  const { length } = paddedBatch({ numRows: 1, length: ids.length }, maxPositions);
  const padded = new Int32Array(length);
  padded.set(ids);
  return { ids: padded, segments: padded.map((_, i) => +(i < ids.length)), batchSize: 1, length };
}

/** Of so many rows, the last again where there are no more. */
function logitsOf(model: Model, hidden: tf.Tensor2D, from: number, count: number): Float32Array {
  return tf.tidy(() => {
    const last = hidden.shape[0] - 1;
    const places = Int32Array.from({ length: count }, (_, i) => Math.min(from + i, last));
    const { lm, logits } = model.weights;
    return readLogits(embedding(places, hidden), lm!, logits).dataSync() as Float32Array; // [count, V]
  });
}

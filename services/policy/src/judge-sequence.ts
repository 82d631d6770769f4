import { setImmediate as nextTurn } from "node:timers/promises";
import { throwIfAborted } from "@stagecraft/core";
import { logSoftmaxAt, topTokens, type Model, type TopToken } from "@stagecraft/model";
import { linear, tf } from "@stagecraft/tensor";
import type { JudgedSequence } from "./engine.js";

export interface JudgeOptions {
  /** So many of the likeliest tokens at each place. */
  numTop: number;
  /** Stops before the next part of the vocabulary's rows. */
  signal?: AbortSignal | undefined;
}

/** Logits that are held at once: 16 MiB. */
const MAX_LOGITS = 4 * 1024 * 1024;

/**
 * Each token of a sequence under the model, at temperature 1, in double precision from its logits. The
 * sequence goes through the model alone and whole; the event loop turns between parts of its rows.
 */
export async function judgeSequence(
  model: Model,
  ids: Int32Array,
  { numTop, signal }: JudgeOptions,
): Promise<Omit<JudgedSequence, "weights">> {
  const logProbs = [0];
  const tops: TopToken[][] = [[]];
  const { vocabSize } = model.config;
  const segments = new Int32Array(ids.length).fill(1);
  const hidden = model.hidden({ ids, segments, batchSize: 1, length: ids.length }); // [N, D]
  try {
    const numRows = Math.max(1, Math.floor(MAX_LOGITS / vocabSize));
    for (let from = 0; from < ids.length - 1; from += numRows) {
      throwIfAborted(signal);
      const count = Math.min(numRows, ids.length - 1 - from);
      const logits = logitsOf(model, hidden, { from, count });
      for (let row = 0; row < count; row++) {
        const part = logits.subarray(row * vocabSize, (row + 1) * vocabSize);
        const id = ids[from + row + 1]!;
        const drawn = { id, logProb: logSoftmaxAt(part, id) };
        logProbs.push(drawn.logProb);
        tops.push(topTokens(part, { temperature: 1, count: numTop, drawn }));
      }
      await nextTurn();
    }
  } finally {
    hidden.dispose();
  }
  return { logProbs, tops };
}

function logitsOf(
  model: Model,
  hidden: tf.Tensor2D,
  { from, count }: { from: number; count: number },
): Float32Array {
  return tf.tidy(() => {
    const rows = tf.slice2d(hidden, [from, 0], [count, -1]); // [count, D]
    return linear(rows, model.weights.lm!).dataSync() as Float32Array;
  });
}

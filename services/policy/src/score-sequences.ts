import { setImmediate as nextTurn } from "node:timers/promises";
import { throwIfAborted } from "@stagecraft/core";
import type { Model } from "@stagecraft/model";
import { paddedBatch, tf } from "@stagecraft/tensor";
import type { SequenceToScore } from "./engine.js";

export interface ScoreSequencesOptions {
  /** Divides the logits. */
  temperature: number;
  /** Tokens of one forward pass; a longer sequence goes alone. */
  maxTokens: number;
  /** Stops before the next pass. */
  signal?: AbortSignal | undefined;
  /** Asked before every pass but the first; true ends the work without a result. */
  giveWay?: () => boolean;
}

/**
 * log p of each token after the prompt, one array per sequence; undefined when it gave way. The event
 * loop turns between passes.
 */
export async function scoreSequences(
  model: Model,
  sequences: readonly SequenceToScore[],
  { temperature, maxTokens, signal, giveWay }: ScoreSequencesOptions,
): Promise<Float32Array[] | undefined> {
  const results: Float32Array[] = [];
  for (const batch of inPasses(sequences, maxTokens)) {
    throwIfAborted(signal);
    if (results.length > 0 && giveWay?.()) return undefined;
    results.push(...scoreBatch(model, batch, temperature));
    await nextTurn();
  }
  return results;
}

/** Row t of a sequence reads token t and judges token t + 1. */
function scoreBatch(
  model: Model,
  batch: readonly SequenceToScore[],
  temperature: number,
): Float32Array[] {
  const longest = Math.max(...batch.map(({ ids }) => ids.length));
  const { batchSize, length } = paddedBatch(
    { numRows: batch.length, length: longest },
    model.config.maxPositions,
  );
  const size = batchSize * length;
  const ids = new Int32Array(size);
  const segments = new Int32Array(size);
  const targets = new Int32Array(size).fill(-1);
  batch.forEach((sequence, b) => {
    ids.set(sequence.ids, b * length);
    segments.fill(1, b * length, b * length + sequence.ids.length);
    targets.set(sequence.ids.subarray(sequence.promptLength), firstRow(sequence, b, length));
  });
  const numbers = tf.tidy(() => {
    const rows = { ids, segments, targets, batchSize, length };
    return model.logProbs(rows, { temperature }).logProbs.dataSync() as Float32Array;
  });
  return batch.map((sequence, b) => {
    const start = firstRow(sequence, b, length);
    return numbers.slice(start, start + sequence.ids.length - sequence.promptLength);
  });
}

function firstRow({ promptLength }: SequenceToScore, b: number, length: number): number {
  return b * length + promptLength - 1;
}

function* inPasses(
  sequences: readonly SequenceToScore[],
  maxTokens: number,
): Generator<SequenceToScore[]> {
  let batch: SequenceToScore[] = [];
  let longest = 0;
  for (const sequence of sequences) {
    const padded = Math.max(longest, sequence.ids.length) * (batch.length + 1);
    if (batch.length > 0 && padded > maxTokens) {
      yield batch;
      batch = [];
      longest = 0;
    }
    batch.push(sequence);
    longest = Math.max(longest, sequence.ids.length);
  }
  if (batch.length > 0) yield batch;
}

/**
 * minGPT's sort task [karpathy/minGPT, demo.ipynb]: six digits of three kinds, then the same digits in
 * order; the loss is on the sorted half. A quarter of the 729 inputs is held out by their hash. Half
 * of the training inputs must have repeats, as in minGPT, because rare ones are hard to learn.
 */
import { createRandom, deriveSeed, type Random } from "@stagecraft/core";
import type { BatchSource, TokenBatch } from "@stagecraft/data";

export const SORT_LENGTH = 6;
export const SORT_SYMBOLS = 3;
/** Tokens that the model reads: input and answer without its last token. */
const ROW_LENGTH = 2 * SORT_LENGTH - 1;

export type SortSplit = "train" | "test";

/** One input of a split, drawn at random. */
export function drawSortInput(random: Random, split: SortSplit): Int32Array {
  for (;;) {
    const input = Int32Array.from({ length: SORT_LENGTH }, () => random.nextInt(SORT_SYMBOLS));
    const isRare = new Set(input).size < SORT_SYMBOLS;
    if (random.nextFloat() < 0.5 && !isRare) continue;
    if (splitOf(input) === split) return input;
  }
}

/** A quarter of all inputs is never trained on. */
export function splitOf(input: Int32Array): SortSplit {
  return createRandom(deriveSeed("sort-split", input.join(""))).nextInt(4) === 0 ? "test" : "train";
}

/** Batches of training inputs; the n-th depends on the seed and n alone. */
export function openSortBatches(options: { batchSize: number; seed: number }): BatchSource {
  let index = 0;
  return {
    next() {
      const random = createRandom(deriveSeed(options.seed, "sort", index++));
      const inputs = Array.from({ length: options.batchSize }, () =>
        drawSortInput(random, "train"),
      );
      return Promise.resolve(toBatch(inputs));
    },
    position: () => ({ batch: index }),
    seek(position) {
      index = position["batch"] as number;
      return Promise.resolve();
    },
  };
}

function toBatch(inputs: readonly Int32Array[]): TokenBatch {
  const size = inputs.length * ROW_LENGTH;
  const batch: TokenBatch = {
    batchSize: inputs.length,
    length: ROW_LENGTH,
    ids: new Int32Array(size),
    targets: new Int32Array(size).fill(-1),
    segments: new Int32Array(size).fill(1),
    positions: Int32Array.from({ length: size }, (_, n) => n % ROW_LENGTH),
    numTargets: inputs.length * SORT_LENGTH,
    numTargetBytes: 0,
  };
  inputs.forEach((input, row) => {
    const start = row * ROW_LENGTH;
    const answer = input.toSorted();
    batch.ids.set(input, start);
    batch.ids.set(answer.subarray(0, -1), start + SORT_LENGTH);
    batch.targets.set(answer, start + SORT_LENGTH - 1);
  });
  return batch;
}

import { createRandom, deriveSeed, StagecraftError } from "@stagecraft/core";
import type { SplitName } from "../corpus/manifest.js";
import type { CorpusSplit, PreparedCorpus } from "../corpus/prepared-corpus.js";
import type { BatchSource } from "../types.js";
import { createEpochSource, integerOf } from "./epoch-source.js";
import { oneItemPerRow, packFirstFit } from "./packing.js";
import { RowBuilder, type RowBuilderOptions } from "./row-builder.js";
import { contiguousStretches, documentStretches, type Stretches } from "./stretches.js";
import { weightedOrder } from "./weighted-order.js";

export interface PretrainBatchOptions {
  split: SplitName;
  /** Rows a batch. */
  batchSize: number;
  /** Tokens a row. */
  length: number;
  seed: number | string;
  /**
   * - "random-window": windows at random places of the token stream, with replacement, across
   *   document borders (nanoGPT); no epochs.
   * - "packed": whole documents (long ones in stretches) packed into rows; attention stays inside.
   * - "contiguous": the token stream in consecutive windows, every token once, across borders.
   */
  mode: "random-window" | "packed" | "contiguous";
  /** Order within an epoch. Default: shuffled for training, in order for validation. */
  shuffle?: boolean;
  /** Only tokens that stand for text are targets: for bits per byte. Default false. */
  textTargetsOnly?: boolean;
}

/**
 * Batches of a prepared corpus. The last batch of an epoch may have empty rows. Weights of sources
 * count in training and in random windows; an epoch of the validation split has every token once.
 * @throws `invalid_argument` when the split is shorter than a window
 */
export function openPretrainBatches(
  corpus: PreparedCorpus,
  options: PretrainBatchOptions,
): BatchSource {
  const split = corpus[options.split];
  checkSizes(split, options);
  const rows: RowBuilderOptions = {
    ...{ batchSize: options.batchSize, length: options.length },
    ...{ byteLengths: corpus.byteLengths, padId: corpus.padId, bosId: corpus.bosId },
    textTargetsOnly: options.textTargetsOnly,
  };
  if (options.mode === "random-window") return randomWindows(split, rows, options);
  const stretches =
    options.mode === "packed"
      ? documentStretches(split.streams, options.length)
      : contiguousStretches(split.streams, options.length);
  return epochs(split, stretches, rows, options);
}

function checkSizes(
  split: CorpusSplit,
  { split: name, length, batchSize, mode }: PretrainBatchOptions,
) {
  for (const [field, value] of Object.entries({ length, batchSize })) {
    if (Number.isInteger(value) && value > 0) continue;
    throw new StagecraftError(
      "invalid_argument",
      `${field} is ${value}; it must be a whole number from 1`,
    );
  }
  const longest = Math.max(0, ...split.streams.map(({ numTokens }) => numTokens));
  const needed = mode === "random-window" ? length + 1 : 2;
  if (longest >= needed) return;
  throw new StagecraftError(
    "invalid_argument",
    `the ${name} split has ${longest} tokens, and a window needs ${needed}; ` +
      `give more text or a smaller length`,
    { details: { split: name, longest, length } },
  );
}

function randomWindows(
  { streams }: CorpusSplit,
  rows: RowBuilderOptions,
  { seed, split }: PretrainBatchOptions,
): BatchSource {
  const places = streams.map(({ numTokens }) => Math.max(0, numTokens - rows.length));
  const weights = places.map((count, i) => count * streams[i]!.weight);
  let index = 0;
  return {
    async next() {
      const random = createRandom(deriveSeed(seed, "random-window", split, index++));
      const builder = new RowBuilder(rows);
      for (let row = 0; row < rows.batchSize; row++) {
        const source = pickWeighted(weights, random.nextFloat());
        const start = random.nextInt(places[source]!);
        builder.add(row, streams[source]!.read(start, rows.length + 1));
      }
      return builder.build();
    },
    position: () => ({ batch: index }),

    async seek(position) {
      index = integerOf(position, "batch");
    },
  };
}

/** The index that a uniform draw in [0, 1) falls on. */
function pickWeighted(weights: readonly number[], draw: number): number {
  let left = draw * weights.reduce((sum, weight) => sum + weight, 0);
  let last = 0;
  for (const [i, weight] of weights.entries()) {
    if (weight === 0) continue;
    last = i;
    if (left < weight) return i;
    left -= weight;
  }
  return last;
}

function epochs(
  { streams }: CorpusSplit,
  stretches: Stretches,
  rows: RowBuilderOptions,
  { seed, split, mode, shuffle = split === "train" }: PretrainBatchOptions,
): BatchSource {
  // Held-out text is measured once, whatever its weight in training.
  const weightOf = (i: number) => (split === "train" ? streams[i]!.weight : 1);
  const groups = stretches.groups.map((group, i) => ({ ...group, weight: weightOf(i) }));
  return createEpochSource((epoch) => {
    const random = createRandom(deriveSeed(seed, mode, split, epoch));
    const order = weightedOrder(groups, random, shuffle);
    const packing =
      mode === "packed"
        ? packFirstFit(order, (item) => stretches.lengths[item]!, rows.length)
        : oneItemPerRow(order);
    return {
      numBatches: Math.ceil(packing.numRows / rows.batchSize),
      batch(index) {
        const builder = new RowBuilder(rows);
        const first = index * rows.batchSize;
        for (let row = first; row < Math.min(first + rows.batchSize, packing.numRows); row++) {
          for (let i = packing.rowStarts[row]!; i < packing.rowStarts[row + 1]!; i++) {
            builder.add(row - first, stretches.read(packing.items[i]!));
          }
        }
        return builder.build();
      },
    };
  });
}

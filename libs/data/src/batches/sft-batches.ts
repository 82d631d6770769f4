import { createRandom, deriveSeed, StagecraftError, type Random } from "@stagecraft/core";
import type { Tokenizer } from "@stagecraft/tokenizer";
import type { BatchSource, Conversation, TokenBatch } from "../types.js";
import { createEpochSource, type EpochPlan } from "./epoch-source.js";
import { packFirstFit } from "./packing.js";
import { RowBuilder } from "./row-builder.js";
import { encodeDemonstrations, type Demonstrations, type Overlong } from "./demonstrations.js";

export interface SftBatchOptions {
  /** Rows a batch. */
  batchSize: number;
  /** Longest row in tokens. */
  length: number;
  /** What becomes of longer conversations. Default "cut": they lose their end. */
  overlong?: Overlong;
  seed: number | string;
  /**
   * True: several conversations a row, first fit, attention inside each; rows have `length` places.
   * False: one a row, batches of similar length, as long as their longest (to a multiple of 8).
   */
  pack: boolean;
  /** Default true. */
  shuffle?: boolean;
}

/** Batches of demonstrations, with what happened to them. */
export interface SftBatchSource extends BatchSource {
  readonly batchesPerEpoch: number;
  readonly numConversations: number;
  /** What was cut and left out; see `Demonstrations`. */
  readonly numCut: number;
  readonly numTooLong: number;
  readonly numWithoutTarget: number;
}

/**
 * Batches for supervised fine-tuning: targets are every token of the assistant and its end token,
 * −1 elsewhere. Tokenizes all conversations now (5 bytes a token stay in memory); an epoch sees each
 * once, in an order of its own.
 * @throws `invalid_argument` when there is nothing to learn from
 */
export function openSftBatches(
  conversations: readonly Conversation[],
  tokenizer: Tokenizer,
  options: SftBatchOptions,
): SftBatchSource {
  const { length, overlong = "cut" } = options;
  const demonstrations = encodeDemonstrations(conversations, tokenizer, { length, overlong });
  if (demonstrations.count === 0) {
    throw new StagecraftError(
      "invalid_argument",
      conversations.length === 0
        ? "there are no conversations to learn from"
        : `no conversation ${overlong === "drop" ? "fits into" : "has a token of the assistant within"} ` +
            `${length} tokens; use a larger length`,
    );
  }
  const source = createEpochSource((epoch) => {
    const random = createRandom(deriveSeed(options.seed, "sft", epoch));
    const order = Int32Array.from({ length: demonstrations.count }, (_, i) => i);
    if (options.shuffle ?? true) random.shuffle(order);
    const plan = options.pack ? planPacked : planBucketed;
    return plan({ demonstrations, tokenizer, options, order, random });
  });
  return Object.assign(source, {
    numConversations: demonstrations.count,
    numCut: demonstrations.numCut,
    numTooLong: demonstrations.numTooLong,
    numWithoutTarget: demonstrations.numWithoutTarget,
  });
}

interface PlanInput {
  demonstrations: Demonstrations;
  tokenizer: Tokenizer;
  options: SftBatchOptions;
  order: Int32Array;
  random: Random;
}

function planPacked({
  demonstrations,
  tokenizer,
  options,
  order,
}: PlanInput): EpochPlan<TokenBatch> {
  const { batchSize, length } = options;
  const { numRows, rowStarts, items } = packFirstFit(order, demonstrations.lengthOf, length);
  return {
    numBatches: Math.ceil(numRows / batchSize),
    batch(index) {
      const builder = newBuilder(tokenizer, batchSize, length);
      const first = index * batchSize;
      for (let row = first; row < Math.min(first + batchSize, numRows); row++) {
        for (let i = rowStarts[row]!; i < rowStarts[row + 1]!; i++) {
          const { ids, mask } = demonstrations.get(items[i]!);
          builder.add(row - first, ids, mask);
        }
      }
      return builder.build();
    },
  };
}

/** Batches are sorted by length within pools of this many, so that order stays random enough. */
const POOL_BATCHES = 32;

function planBucketed({
  demonstrations,
  tokenizer,
  options,
  order,
  random,
}: PlanInput): EpochPlan<TokenBatch> {
  const { batchSize, length } = options;
  const { lengthOf } = demonstrations;
  const batches: Int32Array[] = [];
  for (let at = 0; at < order.length; at += POOL_BATCHES * batchSize) {
    const pool = order.slice(at, at + POOL_BATCHES * batchSize);
    pool.sort((a, b) => lengthOf(a) - lengthOf(b) || a - b);
    for (let i = 0; i < pool.length; i += batchSize) batches.push(pool.slice(i, i + batchSize));
  }
  if (options.shuffle ?? true) random.shuffle(batches);
  return {
    numBatches: batches.length,
    batch(index) {
      const batch = batches[index]!;
      const longest = batch.reduce((most, item) => Math.max(most, lengthOf(item)), 0);
      const rounded = Math.min(length, Math.ceil(longest / 8) * 8);
      const builder = newBuilder(tokenizer, batchSize, rounded);
      batch.forEach((item, row) => {
        const { ids, mask } = demonstrations.get(item);
        builder.add(row, ids, mask);
      });
      return builder.build();
    },
  };
}

function newBuilder(tokenizer: Tokenizer, batchSize: number, length: number): RowBuilder {
  const { byteLengths, specials } = tokenizer;
  return new RowBuilder({ batchSize, length, byteLengths, padId: specials.pad ?? 0 });
}

import { createRandom, deriveSeed, StagecraftError } from "@stagecraft/core";
import { createEpochSource, type EpochSource } from "./epoch-source.js";

export interface ItemBatchOptions {
  /** Items a batch; the last one of an epoch may be smaller. */
  batchSize: number;
  seed: number;
}

/**
 * Batches of items held in memory, such as rankings; shuffled anew for every epoch.
 * @throws `invalid_argument` without items
 */
export function openItemBatches<T>(
  items: readonly T[],
  { batchSize, seed }: ItemBatchOptions,
): EpochSource<T[]> {
  if (items.length === 0) {
    throw new StagecraftError("invalid_argument", "there is nothing to train on");
  }
  return createEpochSource((epoch) => {
    const order = createRandom(deriveSeed(seed, "epoch", epoch)).shuffle([...items]);
    return {
      numBatches: Math.ceil(items.length / batchSize),
      batch: (index) => order.slice(index * batchSize, (index + 1) * batchSize),
    };
  });
}

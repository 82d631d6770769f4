import { createRandom, deriveSeed, StagecraftError, type JsonObject } from "@stagecraft/core";
import type { ResumableSource } from "@stagecraft/runs";

export interface EpochSourceOptions<T, B> {
  items: readonly T[];
  /** Items per batch; the last one of an epoch may be smaller. */
  batchSize: number;
  seed: number;
  toBatch(items: T[]): B;
}

/** Items held in memory, reshuffled every epoch; the position is one number. */
export function createEpochSource<T, B>(
  options: EpochSourceOptions<T, B>,
): ResumableSource<B> & { batchesPerEpoch: number } {
  const { items, batchSize, seed, toBatch } = options;
  if (items.length === 0)
    throw new StagecraftError("invalid_argument", "there is nothing to train on");
  const batchesPerEpoch = Math.ceil(items.length / batchSize);
  let index = 0;
  let cached = { epoch: -1, order: [] as T[] };
  const orderOf = (epoch: number) => {
    if (cached.epoch !== epoch) {
      const random = createRandom(deriveSeed(seed, "epoch", epoch));
      cached = { epoch, order: random.shuffle([...items]) };
    }
    return cached.order;
  };
  return {
    batchesPerEpoch,
    next() {
      const order = orderOf(Math.floor(index / batchesPerEpoch));
      const start = (index % batchesPerEpoch) * batchSize;
      index++;
      return Promise.resolve(toBatch(order.slice(start, start + batchSize)));
    },
    position: (): JsonObject => ({ batch: index }),
    seek(position) {
      index = position["batch"] as number;
      return Promise.resolve();
    },
  };
}

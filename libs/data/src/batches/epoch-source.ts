import { StagecraftError, type JsonObject } from "@stagecraft/core";

/** All batches of one epoch, in order. */
export interface EpochPlan<B> {
  numBatches: number;
  batch(index: number): B;
}

/** An endless, repeatable stream of batches, epoch after epoch. */
export interface EpochSource<B> {
  next(): Promise<B>;
  /** Where the next batch is; plain JSON, for checkpoints. */
  position(): JsonObject;
  /** Continues from a position of an equally configured source, with exactly the same batches. */
  seek(position: JsonObject): Promise<void>;
  /** Batches of the first epoch. */
  readonly batchesPerEpoch: number;
}

/**
 * A source whose epochs are planned from their number alone, so that a position is two integers and
 * resuming gives the very same batches. Epochs never share a batch.
 */
export function createEpochSource<B>(planEpoch: (epoch: number) => EpochPlan<B>): EpochSource<B> {
  let epoch = 0;
  let index = 0;
  let plan = planEpoch(0);
  const batchesPerEpoch = plan.numBatches;
  const goTo = (nextEpoch: number, nextIndex: number) => {
    if (nextEpoch !== epoch) plan = planEpoch(nextEpoch);
    [epoch, index] = [nextEpoch, nextIndex];
  };
  return {
    batchesPerEpoch,

    async next() {
      while (index >= plan.numBatches) goTo(epoch + 1, 0);
      return plan.batch(index++);
    },
    position: () => ({ epoch, batch: index }),

    async seek(position) {
      goTo(integerOf(position, "epoch"), integerOf(position, "batch"));
    },
  };
}

/** A whole number ≥ 0 of a position. */
export function integerOf(position: JsonObject, name: string): number {
  const value = position[name];
  if (typeof value === "number" && Number.isSafeInteger(value) && value >= 0) return value;
  throw new StagecraftError(
    "invalid_argument",
    `a data position needs "${name}", a whole number from 0, got ${JSON.stringify(position)}; ` +
      `it belongs to another kind of data source`,
  );
}

import { StagecraftError } from "@stagecraft/core";
import type { ModelConfig } from "./config.js";

/** Token ids of `batchSize` sequences of `length`, row-major; every array is [batchSize · length]. */
export interface ModelBatch {
  readonly batchSize: number;
  readonly length: number;
  readonly ids: Int32Array;
  /** Number of the document of each token, 0 = padding; tokens see only their own document. */
  readonly segments?: Int32Array;
  /** Position of each token within its document; default 0 … length-1 in every row. */
  readonly positions?: Int32Array;
}

/** Throws `invalid_argument` for wrong lengths, ids outside the vocabulary, positions out of range. */
export function checkBatch(config: ModelConfig, batch: ModelBatch): void {
  const size = batch.batchSize * batch.length;
  for (const field of ["ids", "segments", "positions"] as const) {
    const numValues = batch[field]?.length ?? size;
    if (numValues === size) continue;
    throw invalid(`${field} has ${numValues} values, the batch has ${size} tokens`);
  }
  checkRange(batch.ids, config.vocabSize, (id, row) => {
    return `token id ${id} at row ${row} is outside the vocabulary of ${config.vocabSize}; is the tokenizer that of this model?`;
  });
  if (batch.positions) {
    checkRange(batch.positions, config.maxPositions, (position, row) => {
      return `position ${position} at row ${row} is beyond the model's ${config.maxPositions} positions; shorten the sequence`;
    });
  } else if (batch.length > config.maxPositions) {
    throw invalid(
      `sequences of ${batch.length} tokens are longer than the model's ${config.maxPositions} positions; shorten them`,
    );
  }
}

/** The batch's positions, made up when it has none. */
export function positionsOf({ batchSize, length, positions }: ModelBatch): Int32Array {
  return positions ?? Int32Array.from({ length: batchSize * length }, (_, row) => row % length);
}

/** Throws when one of the values is outside [0, limit). */
export function checkRange(
  values: Int32Array,
  limit: number,
  describe: (value: number, row: number) => string,
): void {
  for (let row = 0; row < values.length; row++) {
    const value = values[row]!;
    if (value < 0 || value >= limit) throw invalid(describe(value, row));
  }
}

function invalid(reason: string): StagecraftError {
  return new StagecraftError("invalid_argument", reason);
}

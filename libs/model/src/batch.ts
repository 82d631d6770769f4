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
  /**
   * The rows of the result that are read, each once; the last layer's MLP and the heads compute no
   * others, and per-token results are 0 there. Default: all, for log-probs those with a target.
   */
  readonly rows?: Int32Array;
}

/** Throws `invalid_argument` for wrong lengths, ids outside the vocabulary, positions out of range. */
export function checkBatch(config: ModelConfig, batch: ModelBatch): void {
  const size = batch.batchSize * batch.length;
  for (const field of ["ids", "segments", "positions"] as const) {
    const numValues = batch[field]?.length ?? size;
    if (numValues === size) continue;
    throw invalid(`${field} has ${numValues} values, the batch has ${size} tokens`);
  }
  if (batch.rows?.length === 0) throw invalid("rows is empty; leave it out to read all rows");
  checkRange(batch.rows ?? new Int32Array(), size, (row) => {
    return `row ${row} is asked for, the batch has rows 0 … ${size - 1}`;
  });
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

/** The rows that predict a token, or undefined where that leaves out none, or all. */
export function rowsWithTarget(targets: Int32Array): Int32Array | undefined {
  const rows = new Int32Array(targets.length);
  let count = 0;
  for (let row = 0; row < targets.length; row++) if (targets[row]! >= 0) rows[count++] = row;
  return count === 0 || count === targets.length ? undefined : rows.subarray(0, count);
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

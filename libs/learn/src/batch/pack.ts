import { paddedBatch, paddedSize } from "@stagecraft/tensor";

/** Where a sequence goes in a batch of rows of equal length. */
export interface Place {
  row: number;
  column: number;
  /** 1-based number within its row; rows attend only within one segment. */
  segment: number;
}

export interface Packing {
  /** Rows; on an engine that likes certain sizes the last ones may be empty. */
  batchSize: number;
  /** Tokens per row: the longest sequence, or more on such an engine. */
  length: number;
  /** One per sequence, in the given order. */
  places: Place[];
}

/**
 * First-fit decreasing: several short sequences share a row. Equal lengths keep their order, so the
 * packing depends on the lengths alone. Without `pack` every sequence has its own row.
 */
export function packSequences(lengths: readonly number[], pack = true): Packing {
  const longest = lengths.reduce((max, value) => Math.max(max, value), 0);
  if (!pack) {
    const places = lengths.map((_, row) => ({ row, column: 0, segment: 1 }));
    return { ...paddedBatch({ numRows: lengths.length, length: longest }), places };
  }
  const length = paddedSize(longest, LEAST_LENGTH);
  const rows: { used: number; count: number }[] = [];
  const places: Place[] = [];
  const order = lengths.map((_, i) => i).sort((a, b) => lengths[b]! - lengths[a]! || a - b);
  for (const i of order) {
    let index = rows.findIndex(({ used }) => used + lengths[i]! <= length);
    if (index < 0) index = rows.push({ used: 0, count: 0 }) - 1;
    const row = rows[index]!;
    places[i] = { row: index, column: row.used, segment: ++row.count };
    row.used += lengths[i]!;
  }
  return { ...paddedBatch({ numRows: rows.length, length }), places };
}

/** Rows that several sequences share; what they leave of a longer row is free for others. */
const LEAST_LENGTH = 128;

/** How many numbers the engine likes, where there are so many: single ones cost nothing. */
export const paddedCount = (count: number): number => paddedSize(count, 64);

/** The numbers with zeros behind them up to `paddedCount`. */
export function padded(numbers: readonly number[]): number[] {
  const size = paddedCount(numbers.length);
  return [...numbers, ...new Array<number>(size - numbers.length).fill(0)];
}

import { paddedSize } from "@stagecraft/tensor";

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
  const length = paddedSize(lengths.reduce((max, value) => Math.max(max, value), 0));
  if (!pack) {
    const places = lengths.map((_, row) => ({ row, column: 0, segment: 1 }));
    return { batchSize: paddedSize(lengths.length), length, places };
  }
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
  return { batchSize: paddedSize(rows.length), length, places };
}

/** The numbers with zeros behind them up to a size that the engine likes. */
export function padded(numbers: readonly number[]): number[] {
  const size = paddedSize(numbers.length);
  return [...numbers, ...new Array<number>(size - numbers.length).fill(0)];
}

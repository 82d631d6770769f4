/** Rows of items: row r holds `items[rowStarts[r] … rowStarts[r + 1])`. */
export interface Packing {
  numRows: number;
  rowStarts: Int32Array;
  items: Int32Array;
}

/** Rows that are still open to more items; more rows pack a little tighter and cost more time. */
const OPEN_ROWS = 64;

/**
 * Packs items, in the given order, into rows of the capacity: each into the first open row with
 * room (first fit). When too many rows are open, the fullest is closed. Every length must be
 * at most the capacity.
 * @param order items by number
 */
export function packFirstFit(
  order: ArrayLike<number>,
  lengthOf: (item: number) => number,
  capacity: number,
): Packing {
  const rowOf = new Int32Array(order.length);
  const open: { row: number; room: number }[] = [];
  let numRows = 0;
  for (let i = 0; i < order.length; i++) {
    const length = lengthOf(order[i]!);
    let slot = open.findIndex(({ room }) => room >= length);
    if (slot < 0) slot = open.push({ row: numRows++, room: capacity }) - 1;
    rowOf[i] = open[slot]!.row;
    open[slot]!.room -= length;
    if (open[slot]!.room === 0) open.splice(slot, 1);
    else if (open.length > OPEN_ROWS) open.splice(fullest(open), 1);
  }
  return groupByRow(order, rowOf, numRows);
}

/** One item a row, in order. */
export function oneItemPerRow(order: ArrayLike<number>): Packing {
  return groupByRow(
    order,
    Int32Array.from({ length: order.length }, (_, i) => i),
    order.length,
  );
}

function fullest(open: readonly { room: number }[]): number {
  let best = 0;
  for (let i = 1; i < open.length; i++) if (open[i]!.room < open[best]!.room) best = i;
  return best;
}

function groupByRow(order: ArrayLike<number>, rowOf: Int32Array, numRows: number): Packing {
  const rowStarts = new Int32Array(numRows + 1);
  for (const row of rowOf) rowStarts[row + 1]!++;
  for (let row = 0; row < numRows; row++) rowStarts[row + 1]! += rowStarts[row]!;
  const next = rowStarts.slice();
  const items = new Int32Array(order.length);
  for (let i = 0; i < order.length; i++) items[next[rowOf[i]!]!++] = order[i]!;
  return { numRows, rowStarts, items };
}

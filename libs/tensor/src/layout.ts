import type { SequenceLayout } from "./types.js";

/** Positions 0 … length-1 in every sequence, unless the layout names them. */
export function positionsOf(layout: SequenceLayout): Int32Array {
  if (layout.positions !== undefined) return layout.positions;
  const positions = new Int32Array(layout.batchSize * layout.length);
  for (let i = 0; i < positions.length; i++) positions[i] = i % layout.length;
  return positions;
}

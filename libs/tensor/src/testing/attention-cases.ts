import type { SequenceLayout } from "../types.js";
import { createTensors } from "./random.js";

const { random } = createTensors(3);

/** A layout of sequences and the heads of an attention over them. */
export interface AttentionCase {
  layout: SequenceLayout;
  numHeads: number;
  numKvHeads: number;
  headSize: number;
}

/** Documents of random lengths, with padding at the end of each row. */
const packed = (batchSize: number, length: number): SequenceLayout => {
  const segments = new Int32Array(batchSize * length);
  const positions = new Int32Array(batchSize * length);
  for (let b = 0; b < batchSize; b++) {
    let [segment, position] = [1, 0];
    for (let i = b * length; i < (b + 1) * length; i++) {
      if (random.nextInt(12) === 0) [segment, position] = [segment + 1, 0];
      segments[i] = i % length > length - 3 ? 0 : segment; // padding at the end
      positions[i] = position++;
    }
  }
  return { batchSize, length, segments, positions };
};

/** Single tokens and heads, odd sizes, grouped queries, documents, padding, interleaved documents. */
export const ATTENTION: AttentionCase[] = [
  { layout: { batchSize: 1, length: 1 }, numHeads: 1, numKvHeads: 1, headSize: 2 },
  { layout: { batchSize: 3, length: 7 }, numHeads: 3, numKvHeads: 3, headSize: 6 },
  { layout: { batchSize: 2, length: 64 }, numHeads: 4, numKvHeads: 4, headSize: 32 },
  { layout: { batchSize: 1, length: 131 }, numHeads: 4, numKvHeads: 2, headSize: 20 },
  { layout: packed(2, 50), numHeads: 4, numKvHeads: 1, headSize: 40 },
  { layout: packed(1, 150), numHeads: 2, numKvHeads: 2, headSize: 64 },
  {
    layout: { batchSize: 2, length: 5, segments: new Int32Array(10) },
    numHeads: 2,
    numKvHeads: 1,
    headSize: 4,
  },
  {
    layout: { batchSize: 1, length: 6, segments: Int32Array.of(0, 0, 1, 2, 1, 2) },
    numHeads: 1,
    numKvHeads: 1,
    headSize: 3,
  },
];

/** @typedef {import("./training.mjs").Shape} Shape */

/** nanoGPT's setting for CPUs, on which losses are compared with the native engine's (golden.json). */
export const GOLDEN = { layers: 4, heads: 4, width: 128, length: 64, batch: 12, vocab: 65 };

/** What is trained, smallest first: about 0.8, 10.7 and 124 million and 1 billion weights. */
export const TRAINED = {
  "0.8M": GOLDEN,
  "10.7M": { layers: 6, heads: 6, width: 384, length: 256, batch: 64, vocab: 65 },
  "124M": { layers: 12, heads: 12, width: 768, length: 1024, batch: 12, vocab: 50304 },
  "1B": { layers: 16, heads: 16, width: 2048, length: 1024, batch: 4, vocab: 50304 },
};

const SMALLEST = { layers: 2, heads: 2, width: 32, length: 16, batch: 2, vocab: 65 };

/** The same parts in seconds on a CPU: the script is tried with these, nothing is measured. */
export const TINY = {
  trained: { "0.1M": SMALLEST },
  split: SMALLEST,
  decoded: { layers: 2, heads: 2, width: 32, inner: 64, vocab: 64, sequences: [1, 3] },
  attention: { batch: 2, length: 32, heads: 2, headSize: 16 },
  flatSteps: 20,
  steps: 4,
};

export const FULL = {
  trained: TRAINED,
  split: TRAINED["124M"],
  decoded: {
    ...{ layers: 12, heads: 12, width: 768, inner: 2048, vocab: 50304 },
    sequences: [1, 16, 64, 256],
  },
  attention: { batch: 8, length: 1024, heads: 16, headSize: 64 },
  flatSteps: 200,
  steps: 20,
};

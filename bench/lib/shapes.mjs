/**
 * The models that are measured, and their work in FLOP as the peers' figures count it: two per weight
 * and token forward and twice that backward, and attention as nanoGPT counts it (12·L·D·T a token in
 * training).
 * @typedef {{ layers: number, heads: number, width: number, inner: number, vocab: number }} LlamaShape
 */

/** @type {LlamaShape} */
export const SMALL = { layers: 4, heads: 4, width: 128, inner: 512, vocab: 1024 };
/** @type {LlamaShape} */
export const BASE = { layers: 6, heads: 6, width: 384, inner: 1536, vocab: 4096 };

/** Weights of the blocks, without the embedding table. @param {LlamaShape} shape */
export const blockWeights = ({ layers, width, inner }) =>
  layers * (4 * width * width + 3 * width * inner);

/** FLOP of one forward pass over `length` tokens of one sequence, without an output projection. */
export function forwardFlops(shape, length) {
  const attention = 4 * shape.layers * shape.width * ((length * (length + 1)) / 2);
  return 2 * blockWeights(shape) * length + attention;
}

/** FLOP of the output projection at one token. @param {LlamaShape} shape */
export const headFlops = ({ vocab, width }) => 2 * vocab * width;

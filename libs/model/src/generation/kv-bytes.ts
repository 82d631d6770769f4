import type { ModelConfig } from "../config.js";

/** Values of a head are laid out in panels of at most so many numbers. */
const PANEL = 32;

/** Memory that one token of a sequence takes in the caches of all layers, in bytes (float32). */
export function kvBytesPerToken(
  config: Pick<ModelConfig, "hiddenSize" | "numHeads" | "numKvHeads" | "numLayers">,
): number {
  const headSize = config.hiddenSize / config.numHeads;
  const padded = Math.ceil(headSize / PANEL) * PANEL;
  return config.numLayers * config.numKvHeads * (headSize + padded) * 4;
}

import { createRandom } from "@stagecraft/core";
import type { tf } from "@stagecraft/tensor";
import type { ModelConfig } from "../src/config.js";
import type { Architecture } from "../src/families/index.js";
import { createModel, type Model } from "../src/model.js";
import type { Head } from "../src/names.js";
import { presetConfig } from "../src/preset.js";

/** Families without grouped queries. */
const UNGROUPED = new Set<Architecture>(["gpt2", "gpt_neox"]);

/** Two layers, hidden 16, grouped queries where there are; weights large enough for peaked predictions. */
export function tinyConfig(
  architecture: Architecture,
  overrides: Partial<ModelConfig> = {},
): ModelConfig {
  return presetConfig(architecture, {
    vocabSize: 23,
    hiddenSize: 16,
    numLayers: 2,
    numHeads: 4,
    maxPositions: 32,
    intermediateSize: 24,
    ...(architecture === "gpt_neox" && { rotaryFraction: 0.5 }), // of heads of 4
    numKvHeads: UNGROUPED.has(architecture) ? 4 : 2,
    ...overrides,
  });
}

/** A tiny model whose every parameter, zero-initialised ones too, is perturbed away from its start. */
export function tinyModel(
  config: ModelConfig,
  { seed = 1, heads = ["lm"] }: { seed?: number; heads?: readonly Head[] } = {},
): Model {
  const model = createModel(config, { seed, heads });
  const random = createRandom(seed);
  const noisy = new Map(
    [...model.tensors()].map(([name, { dtype, shape, data }]) => [
      name,
      {
        dtype,
        shape,
        data: Float32Array.from(data as Float32Array, (x) => x + 0.25 * random.nextNormal()),
      },
    ]),
  );
  model.load(noisy);
  return model;
}

/** Random token ids of a [batchSize, length] batch. */
export function randomIds(vocabSize: number, count: number, seed = 5): Int32Array {
  const random = createRandom(seed);
  return Int32Array.from({ length: count }, () => random.nextInt(vocabSize));
}

/** Largest absolute difference of two arrays of equal length. */
export function maxDifference(a: ArrayLike<number>, b: ArrayLike<number>): number {
  if (a.length !== b.length) return Infinity;
  let max = 0;
  for (let i = 0; i < a.length; i++) {
    const difference = Math.abs(a[i]! - b[i]!);
    if (!(difference <= max)) max = difference; // NaN counts as a difference
  }
  return max;
}

/** The values of a tensor, which is disposed. */
export function take(tensor: tf.Tensor): Float32Array {
  const values = new Float32Array(tensor.dataSync());
  tensor.dispose();
  return values;
}

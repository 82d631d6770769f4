import { attentionBlock, embedding, layerNorm, mlpBlock, rmsNorm, tf } from "@stagecraft/tensor";
import { positionsOf, type ModelBatch } from "./batch.js";
import type { ModelConfig } from "./config.js";
import type { ModelWeights } from "./weights.js";

/**
 * The decoder up to and including its final norm: [N, hiddenSize], N = batchSize · length; with `rows`
 * only those, in their order. Behind the last attention no token needs another, so the last layer's
 * MLP is left out elsewhere.
 */
export function forwardHidden(
  config: ModelConfig,
  weights: ModelWeights,
  batch: ModelBatch,
  rows?: Int32Array,
): tf.Tensor2D {
  const positions = positionsOf(batch);
  const layout = { ...batch, positions };
  let x = embedTokens(weights, batch.ids, positions); // [N, D]
  for (const layer of weights.layers) {
    x = replace(x, attentionBlock(x, layer.attention, layout, weights.attentionOptions));
    if (rows && layer === weights.layers.at(-1)) x = replace(x, embedding(rows, x)); // [R, D]
    x = replace(x, mlpBlock(x, layer.mlp, weights.mlpOptions));
  }
  return replace(x, finalNorm(config, weights, x));
}

/** The next layer's input for the last one's; what a gradient still needs of that is kept by TFJS. */
function replace(previous: tf.Tensor2D, next: tf.Tensor2D): tf.Tensor2D {
  previous.dispose();
  return next;
}

/** Token embeddings, with the learned positions added where the model has them. */
export function embedTokens(
  weights: ModelWeights,
  ids: Int32Array,
  positions: Int32Array,
): tf.Tensor2D {
  const tokens = embedding(ids, weights.embedding);
  if (!weights.positions) return tokens;
  return tf.add(tokens, embedding(positions, weights.positions));
}

export function finalNorm(
  config: ModelConfig,
  { finalNorm: { weight, bias } }: ModelWeights,
  x: tf.Tensor2D,
): tf.Tensor2D {
  return config.architecture === "llama"
    ? rmsNorm(x, weight, config.normEps)
    : layerNorm(x, weight, bias, config.normEps);
}

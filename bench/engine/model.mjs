// Decoder-only models straight on @stagecraft/tensor: what the benchmarks train, score and decode.
import { attentionBlock, embedding, layerNorm, mlpBlock, rmsNorm, tf } from "@stagecraft/tensor";

/**
 * @typedef {{ layers: number, heads: number, width: number, inner: number, vocab: number,
 *   length: number, gpt2: boolean }} Shape
 * @param {Shape} shape
 */
export function createWeights(shape) {
  const { layers, heads, width, inner, vocab, length, gpt2 } = shape;
  const params = new Map();
  const add = (name, tensor) => {
    const variable = tf.variable(tensor);
    tensor.dispose();
    params.set(name, variable);
    return variable;
  };
  const linear = (name, out, from) => ({
    weight: add(name, tf.randomNormal([out, from], 0, 0.02)),
  });
  const norm = (name) => ({ weight: add(name, tf.ones([width])) });
  const embeddingTable = add("embedding", tf.randomNormal([vocab, width], 0, 0.02));
  const positions = gpt2 ? add("positions", tf.randomNormal([length, width], 0, 0.02)) : undefined;
  const blocks = Array.from({ length: layers }, (_, l) => ({
    attention: {
      norm: norm(`${l}.norm1`),
      q: linear(`${l}.q`, width, width),
      k: linear(`${l}.k`, width, width),
      v: linear(`${l}.v`, width, width),
      o: linear(`${l}.o`, width, width),
    },
    mlp: {
      norm: norm(`${l}.norm2`),
      ...(gpt2 ? {} : { gate: linear(`${l}.gate`, inner, width) }),
      up: linear(`${l}.up`, inner, width),
      down: linear(`${l}.down`, width, inner),
    },
  }));
  const kind = { norm: gpt2 ? "layer" : "rms", normEps: 1e-5 };
  const weights = {
    embedding: embeddingTable,
    ...(positions && { positions }),
    layers: blocks,
    finalNorm: norm("norm"),
    lm: embeddingTable,
    attentionOptions: {
      ...kind,
      numHeads: heads,
      numKvHeads: heads,
      ...(!gpt2 && { ropeTheta: 1e4 }),
    },
    mlpOptions: { ...kind, activation: gpt2 ? "gelu" : "swiglu" },
  };
  return {
    params,
    weights,
    numParams: [...params.values()].reduce((sum, { size }) => sum + size, 0),
  };
}

/** Hidden states after the final norm, [N, width]. */
export function hidden(weights, ids, layout) {
  let x = embedding(ids, weights.embedding);
  if (weights.positions) {
    const rows = Int32Array.from(ids, (_, i) => i % layout.length);
    x = tf.add(x, embedding(rows, weights.positions));
  }
  for (const { attention, mlp } of weights.layers) {
    x = attentionBlock(x, attention, layout, weights.attentionOptions);
    x = mlpBlock(x, mlp, weights.mlpOptions);
  }
  const { weight, bias } = weights.finalNorm;
  return weights.positions ? layerNorm(x, weight, bias, 1e-5) : rmsNorm(x, weight, 1e-5);
}

/** Random token ids below `vocab`. */
export const randomIds = (size, vocab) =>
  Int32Array.from({ length: size }, () => Math.floor(Math.random() * vocab));

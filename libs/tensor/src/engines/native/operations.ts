import type { GatedActivation, PlainActivation } from "../../activations.js";
import type { Operations } from "../engine.js";
import type { tf } from "../../tf.js";
import type { LinearWeights, NormKind, NormWeights, RotaryOptions } from "../../types.js";
import type { NativeBackend } from "./backend.js";
import { activationField, mapFields, mapInputs, ropeFields } from "./fields.js";
import { runFused } from "./fused.js";
import { createGradients } from "./gradients.js";

const NORM_STATS = 2;

/** The single operations; attention, the decoder and log-probs have files of their own. */
export function createOperations(
  backend: NativeBackend,
): Omit<Operations, "causalAttention" | "decoderHidden" | "tokenLogProbs"> {
  return {
    embedding: (ids, table) => embedding(backend, ids, table),
    linear: (x, weights) => linear(backend, x, weights),
    norm: (x, weights, options) => norm(backend, x, weights, options),
    gated: (activation, gate, up) => gated(backend, activation, { gate, up }),
    activate: (activation, x) => activate(backend, activation, x),
    scaledSum: (x, factor) => scaledSum(backend, x, factor),
    rotary: (x, positions, options) => rotary(backend, x, positions, options),
  };
}

function embedding(backend: NativeBackend, ids: Int32Array, table: tf.Tensor2D): tf.Tensor2D {
  const [vocab, width] = table.shape;
  const sizes = { rows: ids.length, vocab, width, ids };
  return runFused({
    backend,
    inputs: { table },
    forward({ table }) {
      const { tensor, values: y } = backend.output([ids.length, width]);
      backend.addon.embedding({ ...sizes, table, y });
      return tensor;
    },
    backward(dy) {
      const { tensor, values: dtable } = backend.output([vocab, width]);
      backend.addon.embeddingGrad({ ...sizes, dy, dtable });
      return { table: tensor };
    },
  }) as tf.Tensor2D;
}

function linear(backend: NativeBackend, x: tf.Tensor2D, weights: LinearWeights): tf.Tensor2D {
  const [rows, width] = x.shape;
  const out = weights.weight.shape[0];
  const sizes = { rows, in: width, out, ...mapFields("map", weights) };
  const inputs = { x, ...mapInputs("map", weights) };
  return runFused({
    backend,
    inputs,
    forward(values) {
      const { tensor, values: y } = backend.output([rows, out]);
      backend.addon.linear({ ...sizes, ...values, y });
      return tensor;
    },
    backward(dy, values) {
      const grads = createGradients(backend, inputs, ["mapWeight"]);
      backend.addon.linearGrad({ ...sizes, ...values, dy, ...grads.values });
      return grads.tensors;
    },
  }) as tf.Tensor2D;
}

function norm(
  backend: NativeBackend,
  x: tf.Tensor2D,
  weights: NormWeights,
  options: { norm: NormKind; normEps: number },
): tf.Tensor2D {
  const [rows, width] = x.shape;
  const sizes = { rows, width, layer: options.norm === "layer", eps: options.normEps };
  return runFused({
    backend,
    inputs: { x, weight: weights.weight, bias: weights.bias },
    forward(values, keep) {
      const { tensor, values: y } = backend.output([rows, width]);
      backend.addon.norm({ ...sizes, ...values, y, stats: keep("stats", rows * NORM_STATS) });
      return tensor;
    },
    backward(dy, values) {
      const [dx, dweight] = [backend.output([rows, width]), backend.output([width])];
      const dbias = values["bias"] && backend.output([width]);
      const outputs = { dx: dx.values, dweight: dweight.values, dbias: dbias?.values };
      backend.addon.normGrad({ ...sizes, ...values, dy, ...outputs });
      return { x: dx.tensor, weight: dweight.tensor, ...(dbias && { bias: dbias.tensor }) };
    },
  }) as tf.Tensor2D;
}

function gated<T extends tf.Tensor>(
  backend: NativeBackend,
  kind: GatedActivation,
  inputs: { gate: T; up: T },
): T {
  const { size, shape } = inputs.gate;
  const activation = activationField(kind);
  return runFused({
    backend,
    inputs,
    forward(values) {
      const { tensor, values: y } = backend.output(shape);
      backend.addon.gated({ activation, size, ...values, y });
      return tensor;
    },
    backward(dy, values) {
      const [dgate, dup] = [backend.output(shape), backend.output(shape)];
      const outputs = { dgate: dgate.values, dup: dup.values };
      backend.addon.gatedGrad({ activation, size, ...values, dy, ...outputs });
      return { gate: dgate.tensor, up: dup.tensor };
    },
  }) as T;
}

function activate<T extends tf.Tensor>(backend: NativeBackend, kind: PlainActivation, x: T): T {
  const { size, shape } = x;
  const activation = activationField(kind);
  return runFused({
    backend,
    inputs: { x },
    forward({ x }) {
      const { tensor, values: y } = backend.output(shape);
      backend.addon.activate({ activation, size, x, y });
      return tensor;
    },
    backward(dy, { x }) {
      const { tensor, values: dx } = backend.output(shape);
      backend.addon.activateGrad({ activation, size, x, dy, dx });
      return { x: tensor };
    },
  }) as T;
}

/** A loop in JavaScript: less than the TFJS operations around it would cost. */
function scaledSum(backend: NativeBackend, x: tf.Tensor1D, factor: number): tf.Scalar {
  return runFused({
    backend,
    inputs: { x },
    forward({ x }) {
      const { tensor, values } = backend.output([]);
      values[0] = factor * x!.reduce((sum, value) => sum + value, 0);
      return tensor;
    },
    backward(dy) {
      const { tensor, values } = backend.output(x.shape);
      values.fill(factor * dy[0]!);
      return { x: tensor };
    },
  }) as tf.Scalar;
}

function rotary(
  backend: NativeBackend,
  x: tf.Tensor2D,
  positions: Int32Array,
  { numHeads, rope }: RotaryOptions,
): tf.Tensor2D {
  const [rows, width] = x.shape;
  const headSize = width / numHeads;
  const sizes = { rows, heads: numHeads, headSize, positions, ...ropeFields(rope) };
  const rotate = (from: Float32Array | undefined, inverse: boolean) => {
    const { tensor, values: y } = backend.output([rows, width]);
    backend.addon.rotary({ ...sizes, x: from, inverse, y });
    return tensor;
  };
  return runFused({
    backend,
    inputs: { x },
    forward: ({ x }) => rotate(x, false),
    backward: (dy) => ({ x: rotate(dy, true) }), // a rotation's transpose turns back
  }) as tf.Tensor2D;
}

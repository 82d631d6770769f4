import { describe, expect, it, vi } from "vitest";
import { startTestEngine } from "../../../test/engine.js";
import { engineInfo, tf } from "../../index.js";
import { currentEngine } from "../current.js";
import { ATTENTION, type AttentionCase } from "../../testing/attention-cases.js";
import { evaluate, type Inputs, type Operation } from "../../testing/compare.js";
import { expectClose, TOLERANCE } from "../../../test/expect-close.js";
import { createTensors } from "../../testing/random.js";
import { isGated } from "../../activations.js";
import { plainRope } from "../../rope.js";
import type { DecoderTrunk, NormWeights, Rope } from "../../types.js";
import type { NativeBackend } from "./backend.js";

await startTestEngine("native");

const t = createTensors(4);

type Norm = DecoderTrunk["mlpOptions"]["norm"];
type Activation = DecoderTrunk["mlpOptions"]["activation"];

interface DecoderCase extends AttentionCase {
  numLayers: number;
  width: number;
  inner: number;
  norm: Norm;
  activation: Activation;
  biases: boolean;
  /** Of the adapters that the named maps have. */
  rank?: number;
  adapted?: readonly string[];
  /** What families add. */
  also?: Partial<DecoderTrunk> & Also;
}

interface Also {
  headNorms?: "each" | "all";
  postNorms?: boolean;
  noPreNorms?: boolean;
  scale?: number;
  softcap?: number;
  ropes?: readonly (Rope | undefined)[];
  windows?: readonly (number | undefined)[];
}

const adapterOf = (inputs: Inputs, name: string, i: number | "") => ({
  a: inputs[`${name}A${i}`] as tf.Tensor2D,
  b: inputs[`${name}B${i}`] as tf.Tensor2D,
  scale: 1.5,
});

const MAPS = ["q", "k", "v", "o", "gate", "up", "down"];
const VOCAB = 19;
const idsOf = (count: number) => Int32Array.from({ length: count }, (_, i) => (i * i + 7) % VOCAB);

function decoderInputs(layers: DecoderCase): Inputs {
  const { layout, numLayers, numHeads, numKvHeads, headSize, width, inner, biases } = layers;
  const [q, kv] = [numHeads * headSize, numKvHeads * headSize];
  const inputs: Inputs = { embedding: t.matrix(VOCAB, width), norm: t.vector(width, 0.1, 1) };
  if (layers.norm === "layer") inputs["positions"] = t.matrix(layout.length, width);
  if (layers.norm === "layer" && biases) inputs["normBias"] = t.vector(width, 0.1);
  for (let i = 0; i < numLayers; i++) {
    for (const [name, out, size] of [
      ["q", q, width],
      ["k", kv, width],
      ["v", kv, width],
      ["o", width, q],
      ["gate", inner, width],
      ["up", inner, width],
      ["down", width, inner],
    ] as const) {
      if (name === "gate" && !isGated(layers.activation)) continue;
      inputs[name + i] = t.matrix(out, size, 1 / Math.sqrt(size));
      if (biases) inputs[`${name}Bias${i}`] = t.vector(out, 0.1);
      const { rank = 0, adapted = [] } = layers;
      if (!adapted.includes(name)) continue;
      inputs[`${name}A${i}`] = t.matrix(rank, size, 1 / Math.sqrt(size));
      inputs[`${name}B${i}`] = t.matrix(out, rank, 0.3);
    }
    const { headNorms, postNorms } = layers.also ?? {};
    if (headNorms) {
      inputs[`qNorm${i}`] = t.vector(headNorms === "each" ? headSize : q, 0.1, 1);
      inputs[`kNorm${i}`] = t.vector(headNorms === "each" ? headSize : kv, 0.1, 1);
    }
    for (const name of ["norm", "mlpNorm", ...(postNorms ? ["postNorm", "mlpPostNorm"] : [])]) {
      if (layers.also?.noPreNorms && !name.includes("ost")) continue;
      inputs[name + i] = t.vector(width, 0.1, 1);
      if (layers.norm === "layer" && biases) inputs[`${name}Bias${i}`] = t.vector(width, 0.1);
    }
  }
  return inputs;
}

function decoderOf(
  layers: DecoderCase,
  rows?: Int32Array,
  ids = idsOf(layers.layout.batchSize * layers.layout.length),
): Operation {
  const { norm, activation, layout, numHeads, numKvHeads, headSize, numLayers } = layers;
  const { headNorms, postNorms, noPreNorms, ...also } = layers.also ?? {};
  const { scale, softcap, ropes, windows, ...trunkOptions } = also;
  const shared = { norm, normEps: 1e-5 };
  const rotates = headSize % 2 === 0 && norm === "rms";
  return (f, inputs) => {
    const module = (name: string, i: number | "") => ({
      weight: inputs[name + i] as tf.Tensor2D,
      ...(inputs[`${name}Bias${i}`] && { bias: inputs[`${name}Bias${i}`] as tf.Tensor1D }),
      ...(inputs[`${name}A${i}`] && { adapter: adapterOf(inputs, name, i) }),
    });
    const normModule = (name: string, i: number | "") => module(name, i) as unknown as NormWeights;
    const trunk: DecoderTrunk = {
      embedding: inputs["embedding"] as tf.Tensor2D,
      ...(inputs["positions"] && { positions: inputs["positions"] as tf.Tensor2D }),
      finalNorm: normModule("norm", ""),
      layers: Array.from({ length: numLayers }, (_, i) => ({
        ...(rotates && { rope: plainRope(1e4, headSize / 2) }),
        ...(ropes && { rope: ropes[i % ropes.length]! }),
        ...(windows && { window: windows[i % windows.length] ?? 1e6 }),
        attention: {
          ...(!noPreNorms && { norm: normModule("norm", i) }),
          ...(headNorms && { qNorm: normModule("qNorm", i), kNorm: normModule("kNorm", i) }),
          ...(postNorms && { postNorm: normModule("postNorm", i) }),
          q: module("q", i),
          k: module("k", i),
          v: module("v", i),
          o: module("o", i),
        },
        mlp: {
          ...(!noPreNorms && { norm: normModule("mlpNorm", i) }),
          ...(postNorms && { postNorm: normModule("mlpPostNorm", i) }),
          ...(isGated(activation) && { gate: module("gate", i) }),
          up: module("up", i),
          down: module("down", i),
        },
      })),
      attentionOptions: {
        ...{ ...shared, numHeads, numKvHeads },
        ...(scale !== undefined && { scale }),
        ...(softcap !== undefined && { softcap }),
      },
      mlpOptions: { ...shared, activation },
      ...trunkOptions,
    };
    return f.decoderHidden(ids, trunk, layout, rows);
  };
}

/** Widths of stream and MLP, and whether there are biases, beside norm and activation. */
const KINDS = [
  { width: 24, inner: 37, norm: "rms", activation: "swiglu", biases: false },
  { width: 24, inner: 40, norm: "layer", activation: "gelu", biases: true },
  { width: 33, inner: 5, norm: "layer", activation: "gelu", biases: false },
] as const;

describe("decoder against its definition", () => {
  for (const numLayers of [1, 3]) {
    it(`decoderHidden() of ${numLayers} layers`, () => {
      for (const attention of ATTENTION) {
        for (const kind of KINDS) {
          const layers = { ...attention, ...kind, numLayers };
          expectClose(decoderOf(layers), decoderInputs(layers));
        }
      }
    });
  }

  const half = { frequencies: Float64Array.of(1, 0.1, 0.01), scale: 1.3 };
  for (const [what, kind] of Object.entries({
    "GELU of its gate": { activation: "geglu" },
    "exact GELU": { activation: "gelu-erf", norm: "layer", biases: true },
    ReLU: { activation: "relu", norm: "layer", biases: true },
    tanh: { activation: "tanh", norm: "layer" },
    "silu without a gate": { activation: "silu" },
    "windows, ropes of a part and none": {
      also: { ropes: [half, undefined], windows: [4, undefined, 33] },
    },
    "capped scores": { also: { scale: 0.4, softcap: 2, windows: [9] } },
    "adapters on every map": { norm: "layer", biases: true, rank: 3, adapted: MAPS },
    "adapters on some maps, of a rank beyond a panel": { rank: 40, adapted: ["q", "v", "down"] },
    "adapters in a decoder of single operations": {
      ...{ rank: 3, adapted: MAPS },
      also: { residualScale: 0.4 },
    },
    "norms of heads": { also: { headNorms: "each" } },
    "norms of all heads, of results alone": {
      also: { headNorms: "all", postNorms: true, noPreNorms: true },
    },
    "norms before and after, factors": {
      also: { postNorms: true, embeddingScale: 3, residualScale: 0.4 },
    },
    "parallel blocks": {
      norm: "layer",
      biases: true,
      activation: "gelu-erf",
      also: { parallel: true },
    },
  } satisfies Record<string, Partial<DecoderCase>>)) {
    it(`decoderHidden() with ${what}`, () => {
      for (const attention of [ATTENTION[1]!, ATTENTION[4]!]) {
        const all = { ...attention, ...KINDS[0], ...kind, numLayers: 2 } as DecoderCase;
        const numRows = all.layout.batchSize * all.layout.length;
        expectClose(decoderOf(all), decoderInputs(all));
        expectClose(decoderOf(all, t.ids(5, numRows)), decoderInputs(all));
      }
    });
  }

  it("decoderHidden() of some rows, in any order and twice", () => {
    for (const attention of ATTENTION) {
      const numRows = attention.layout.batchSize * attention.layout.length;
      for (const kind of KINDS) {
        const layers = { ...attention, ...kind, numLayers: 2 };
        const rows = t.ids(1 + Math.floor(numRows / 3), numRows);
        expectClose(decoderOf(layers, rows), decoderInputs(layers));
      }
    }
  });

  it("decoderHidden() of no row, and of more than there are", () => {
    const layers = { ...ATTENTION[1]!, ...KINDS[0], numLayers: 2 };
    for (const count of [0, 60]) {
      expectClose(decoderOf(layers, t.ids(count, 21)), decoderInputs(layers));
    }
  });

  // Many sequences are several operations, few are one: their gradients add up to the same.
  // 750: two layers, then one, each operation on small memory; 1500: one by one, block by block.
  for (const [batchSize, operations] of [
    [750, [2, 1]],
    [1500, [1, 1, 1]],
  ] as const) {
    it(`decoderHidden() in several operations, ${batchSize} sequences`, () => {
      const [length, few] = [16, 50];
      const decoder: DecoderCase = {
        layout: { batchSize, length },
        ...{ numHeads: 2, numKvHeads: 1, headSize: 12, numLayers: 3 },
        ...{ width: 24, inner: 40, norm: "layer", activation: "swiglu", biases: false },
      };
      const inputs = decoderInputs(decoder);
      const ids = idsOf(batchSize * length);
      const rows = ids.filter((_, i) => i % 3 === 0).map((_, i) => 3 * i);
      const addon = (tf.backend() as Partial<NativeBackend>).addon;
      const native = addon && vi.spyOn(addon, "decoderLayers");
      const all = gradientsOf(decoderOf(decoder, rows, ids), inputs);
      const numLayers = native?.mock.calls.map(([args]) => args["numLayers"]);
      native?.mockRestore();
      if (native) expect(numLayers).toEqual(operations);
      const sums = Object.values(inputs).map(({ size }) => new Float64Array(size));
      for (let from = 0; from < batchSize; from += few) {
        const part = { ...decoder, layout: { batchSize: few, length } };
        const [begin, end] = [from * length, (from + few) * length];
        const own = rows.filter((row) => row >= begin && row < end).map((row) => row - begin);
        const grads = gradientsOf(decoderOf(part, own, ids.slice(begin, end)), inputs);
        grads.forEach((grad, i) => grad.forEach((value, at) => (sums[i]![at]! += value)));
      }
      all.forEach((grad, i) => {
        const largest = sums[i]!.reduce((most, value) => Math.max(most, Math.abs(value)), 1);
        const error = grad.reduce((most, v, at) => Math.max(most, Math.abs(v - sums[i]![at]!)), 0);
        expect(error / largest, Object.keys(inputs)[i]).toBeLessThan(TOLERANCE);
      });
    });
  }
});

describe("frozen weights", () => {
  const native = (tf.backend() as Partial<NativeBackend>).addon;

  it.runIf(native)("have no gradient made of them, adapted or not", () => {
    const decoder: DecoderCase = {
      ...{ ...ATTENTION[1]!, ...KINDS[0], numLayers: 1 },
      ...{ rank: 2, adapted: ["q", "down"] },
    };
    const inputs = decoderInputs(decoder);
    const frozen = MAPS.map((name) => {
      const variable = tf.variable(inputs[`${name}0`]!, false);
      inputs[`${name}0`] = variable;
      return variable;
    });
    const spy = vi.spyOn(native!, "decoderLayersGrad");
    const trained = inputs["qA0"]!;
    tf.dispose(
      tf.grad((a) => tf.sum(decoderOf(decoder)(currentEngine().ops, { ...inputs, qA0: a })))(
        trained,
      ),
    );
    const made = Object.entries(spy.mock.calls[0]![0]).filter(([, value]) => value !== undefined);
    spy.mockRestore();
    const names = made.map(([name]) => name);
    expect(names).toEqual(expect.arrayContaining(["dqA0", "dqB0", "ddownA0", "ddownB0"]));
    expect(names.filter((name) => MAPS.some((map) => name === `d${map}Weight0`))).toEqual([]);
    tf.dispose(frozen);
  });
});

/** Of the sum of the result's squares, for every input. */
function gradientsOf(operation: Operation, inputs: Inputs): Float32Array[] {
  const names = Object.keys(inputs);
  return tf.tidy(() =>
    tf
      .grads((...tensors) => {
        const named = Object.fromEntries(names.map((name, i) => [name, tensors[i] as tf.Tensor]));
        return tf.sum(tf.square(operation(currentEngine().ops, named)));
      })(Object.values(inputs))
      .map((grad) => grad.dataSync<"float32">()),
  );
}

describe("determinism", () => {
  const layers: DecoderCase = {
    layout: { batchSize: 4, length: 40 },
    ...{ numHeads: 4, numKvHeads: 2, headSize: 16, numLayers: 2 },
    ...{ width: 24, inner: 40, norm: "rms", activation: "swiglu", biases: false },
  };

  it("repeats bit for bit", () => {
    const inputs = decoderInputs(layers);
    const first = evaluate(currentEngine().ops, decoderOf(layers), inputs);
    for (let i = 0; i < 5; i++) {
      expect(evaluate(currentEngine().ops, decoderOf(layers), inputs)).toEqual(first);
    }
  });

  const { batchInvariant } = engineInfo();
  it.runIf(batchInvariant)("gives a sequence the same bits alone and in any batch", () => {
    const inputs = decoderInputs(layers);
    const all = decoderOf(layers)(currentEngine().ops, inputs).arraySync() as number[][];
    const one = { ...layers, layout: { batchSize: 1, length: 40 } };
    const ids = idsOf(160).slice(80, 120);
    const alone = decoderOf(one, undefined, ids)(currentEngine().ops, inputs).arraySync();
    expect(alone).toEqual(all.slice(80, 120));
  });

  it.runIf(batchInvariant)("gives some rows the same bits as all of them", () => {
    const inputs = decoderInputs(layers);
    const run = (rows?: Int32Array) =>
      decoderOf(layers, rows)(currentEngine().ops, inputs).arraySync() as number[][];
    const all = run();
    expect(run(Int32Array.of(159, 3, 77))).toEqual([all[159], all[3], all[77]]);
  });
});

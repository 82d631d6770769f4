import { isGated } from "../../activations.js";
import { positionsOf } from "../../layout.js";
import type { tf } from "../../tf.js";
import type { DecoderTrunk, SequenceLayout } from "../../types.js";
import { attentionSizes } from "./attention.js";
import type { NativeBackend } from "./backend.js";
import { activationField, layerFields, mapFields, mapInputs, scoreFields } from "./fields.js";
import { isRecording, runFused, type FusedInputs } from "./fused.js";
import { createGradients } from "./gradients.js";

const NORM_STATS = 2;

/**
 * What the layers of one operation keep for their gradient, in bytes: all of a small model, so that
 * JavaScript does not cost as much as the kernels; a layer of a large one, whose memory is then free for
 * the gradients of the next.
 */
const OPERATION_BYTES = 24 * 2 ** 20;

type Layers = DecoderTrunk["layers"];

/** Whether the fused kernels know all that the layers do. */
export function isFusable({ layers, ...trunk }: DecoderTrunk): boolean {
  const { embeddingScale = 1, residualScale = 1, parallel = false } = trunk;
  return (
    embeddingScale === 1 &&
    residualScale === 1 &&
    !parallel &&
    layers.every(({ attention, mlp }) => {
      const others = [attention.qNorm, attention.kNorm, attention.postNorm, mlp.postNorm];
      return attention.norm && mlp.norm && others.every((norm) => norm === undefined);
    })
  );
}

/** A decoder as few native operations: the first begins with the embedding, the last ends with the norm. */
export function fusedDecoder(
  backend: NativeBackend,
  ids: Int32Array,
  trunk: DecoderTrunk,
  layout: SequenceLayout,
  rows?: Int32Array,
): tf.Tensor2D {
  const { layers, finalNorm } = trunk;
  const sizes = sizesOf(trunk, layout);
  const keptBytes = 4 * ids.length * keptWidths(sizes).reduce((sum, [, width]) => sum + width, 0);
  const most = isRecording() ? Math.max(1, Math.floor(OPERATION_BYTES / keptBytes)) : layers.length;
  let x: tf.Tensor2D | undefined;
  for (let i = 0; i < layers.length; i += most) {
    const part: Part = { layers: layers.slice(i, i + most), sizes, numRows: ids.length };
    if (x) part.inputs = { x };
    else Object.assign(part, tokensOf(ids, trunk, layout));
    if (i + most >= layers.length) Object.assign(part, { finalNorm, rows });
    const next = runPart(backend, part);
    x?.dispose(); // a gradient's share of it is kept by TFJS
    x = next;
  }
  return x!;
}

type Sizes = ReturnType<typeof sizesOf>;

function sizesOf({ layers, attentionOptions, ...trunk }: DecoderTrunk, layout: SequenceLayout) {
  const { attention, mlp } = layers[0]!;
  const { norm, normEps, numHeads } = attentionOptions;
  const headSize = attention.q.weight.shape[0] / numHeads;
  const { activation } = trunk.mlpOptions;
  return {
    ...attentionSizes(layout, attentionOptions, headSize),
    ...scoreFields(attentionOptions, headSize),
    width: trunk.embedding.shape[1],
    inner: mlp.up.weight.shape[0],
    gated: isGated(activation),
    activation: activationField(activation),
    normEps,
    layerNorm: norm === "layer",
  };
}

/** What one operation computes. */
interface Part {
  layers: Layers;
  sizes: Sizes;
  /** Of the sequences. */
  numRows: number;
  /** `x`, or the tables of an embedding. */
  inputs?: Record<string, tf.Tensor | undefined>;
  /** Of an embedding. */
  fields?: Record<string, number | Int32Array | undefined>;
  finalNorm?: DecoderTrunk["finalNorm"];
  rows?: Int32Array;
}

function tokensOf(
  ids: Int32Array,
  { embedding: table, positions: positionTable }: DecoderTrunk,
  layout: SequenceLayout,
): Pick<Part, "inputs" | "fields"> {
  const fields: Part["fields"] = { ids, vocab: table.shape[0] };
  if (positionTable) {
    fields["positions"] = positionsOf(layout);
    fields["maxPositions"] = positionTable.shape[0];
  }
  return { inputs: { table, positionTable }, fields };
}

/** What a layer keeps for its gradient: the names and the values of each row. */
function keptWidths(sizes: Sizes): (readonly [name: string, width: number])[] {
  const { width, inner, gated, numHeads, numKvHeads, headSize } = sizes;
  return [
    ["stats", NORM_STATS],
    ["qkv", (numHeads + 2 * numKvHeads) * headSize],
    ["mixed", numHeads * headSize],
    ["lse", numHeads],
    ["attended", width],
    ["mlpStats", NORM_STATS],
    ["hidden", gated ? 2 * inner : inner],
    ["y", width],
  ];
}

/** Kept once per row that goes on behind the attention, the others once per row of the layer. */
const BEHIND_ATTENTION = new Set(["attended", "mlpStats", "hidden", "y"]);

function runPart(backend: NativeBackend, part: Part): tf.Tensor2D {
  const { layers, sizes, numRows, rows, finalNorm } = part;
  const outputs = rows?.length ?? numRows;
  const inputs: Record<string, tf.Tensor | undefined> = Object.assign(
    { finalNormWeight: finalNorm?.weight, finalNormBias: finalNorm?.bias, ...part.inputs },
    ...layers.map(weightsOf),
  );
  const optional = ["table", ...layers.flatMap((_, i) => MAPS.map((name) => `${name}Weight${i}`))];
  const fields = {
    ...{ ...sizes, ...layerFields(layers), ...adapterFields(layers), ...part.fields },
    ...{ numLayers: layers.length, rows, numRows: rows && outputs },
  };
  return runFused({
    backend,
    inputs,
    forward(values, _keep, keep) {
      const { tensor, values: y } = backend.output([outputs, sizes.width]);
      const kept: Record<string, Float32Array | undefined> = {};
      const keepRows = (name: string, count: number, width: number) => {
        kept[name] = keep(name, count * width);
      };
      if (part.fields) keepRows("embedded", numRows, sizes.width);
      if (finalNorm) keepRows("finalStats", outputs, NORM_STATS);
      for (let i = 0; i < layers.length; i++) {
        const last = i === layers.length - 1;
        for (const [name, width] of keptWidths(sizes)) {
          if (last && name === "y" && !finalNorm) continue; // the result
          keepRows(name + i, last && BEHIND_ATTENTION.has(name) ? outputs : numRows, width);
        }
      }
      backend.addon.decoderLayers({ ...fields, ...values, ...kept, y });
      return tensor;
    },
    backward(dy, values) {
      const grads = createGradients(backend, inputs, optional);
      backend.addon.decoderLayersGrad({ ...fields, ...values, dy, ...grads.values });
      return grads.tensors;
    },
  }) as tf.Tensor2D;
}

const MAPS = ["q", "k", "v", "o", "gate", "up", "down"] as const;

/** The weights of layer i by the addon's names. */
function weightsOf({ attention, mlp }: Layers[number], i: number) {
  const inputs: Record<string, tf.Tensor | undefined> = {};
  for (const [name, norm] of Object.entries({ norm: attention.norm, mlpNorm: mlp.norm })) {
    inputs[`${name}Weight${i}`] = norm?.weight;
    inputs[`${name}Bias${i}`] = norm?.bias;
  }
  const maps = { ...attention, ...mlp };
  return Object.assign(
    inputs,
    ...MAPS.map((name) => mapInputs(name, maps[name], i)),
  ) as FusedInputs;
}

function adapterFields(layers: Layers): Record<string, number | undefined> {
  const fields = layers.flatMap(({ attention, mlp }, i) => {
    const maps = { ...attention, ...mlp };
    return MAPS.map((name) => mapFields(name, maps[name], i));
  });
  return Object.assign({}, ...fields) as Record<string, number | undefined>;
}

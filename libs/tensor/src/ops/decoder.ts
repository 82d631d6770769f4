import {
  checkHeads,
  checkIds,
  checkLayout,
  checkLinear,
  checkNorm,
  checkShape,
  fail,
} from "../checks.js";
import { currentEngine } from "../engines/current.js";
import type { Decoder, DecoderOptions, DecoderWeights } from "../engines/decoder.js";
import { positionsOf } from "../layout.js";
import type { tf } from "../tf.js";
import type {
  AttentionBlockOptions,
  DecoderLayer,
  DecoderTrunk,
  MlpBlockOptions,
  MlpBlockWeights,
  NormWeights,
  SequenceLayout,
} from "../types.js";
import { isGated } from "../activations.js";
import { checkHeadSize, checkRope } from "./attention.js";

/**
 * The last hidden state of a decoder: embed the tokens, then in every layer x + Wo·attention(rotary(Wq·n),
 * rotary(Wk·n), Wv·n) and x + Wdown·(silu(Wgate·n) ⊙ Wup·n), with "gelu" x + Wdown·gelu(Wup·n), where
 * n = norm(x), then the final norm; a layer without `rope` rotates nothing. What families add (norms of
 * queries, keys and results, factors, parallel blocks) is at `DecoderTrunk`. ids [N] → [N, D], or with
 * `rows` [R, D], those in their order: behind the last attention no row needs another, so the last MLP is
 * left out for the rest.
 */
export function decoderHidden(
  ids: Int32Array,
  trunk: DecoderTrunk,
  layout: SequenceLayout,
  rows?: Int32Array,
): tf.Tensor2D {
  const op = "decoderHidden";
  checkTrunk(op, trunk);
  const { embedding, positions } = trunk;
  checkIds(op, "ids", ids, embedding.shape[0]);
  checkLayout(op, layout, ids.length);
  if (positions) checkIds(op, "layout.positions", positionsOf(layout), positions.shape[0]);
  if (rows) checkIds(op, "rows", rows, ids.length);
  return currentEngine().ops.decoderHidden(ids, trunk, layout, rows);
}

/**
 * A session that decodes with `weights`, which stay the caller's. Throws `invalid_argument` for weights that
 * do not fit together, and for sequences beyond the rows of learned positions.
 */
export function createDecoder(weights: DecoderWeights, options: DecoderOptions): Decoder {
  const op = "createDecoder";
  checkTrunk(op, weights);
  checkShape(op, "lm", weights.lm, weights.embedding.shape);
  for (const name of ["maxSequences", "maxLength"] as const) {
    if (!(options[name] >= 1)) fail(op, `${name} must be at least 1, got ${options[name]}`);
  }
  if (weights.layers.some(hasAdapter)) fail(op, "weights with adapters: merge them first");
  const { divisor = 1, softcap } = weights.logits ?? {};
  if (!(divisor > 0) || !((softcap ?? 1) > 0)) fail(op, "logits need a divisor and a cap above 0");
  const numPositions = weights.positions?.shape[0] ?? Infinity;
  if (options.maxLength > numPositions) {
    fail(op, `maxLength ${options.maxLength} is above the ${numPositions} rows of positions`);
  }
  return currentEngine().createDecoder(weights, options);
}

const hasAdapter = ({ attention: { q, k, v, o }, mlp: { gate, up, down } }: DecoderLayer) =>
  [q, k, v, o, gate, up, down].some((map) => map?.adapter !== undefined);

function checkTrunk(op: string, trunk: DecoderTrunk): void {
  const { embedding, positions, layers, finalNorm, attentionOptions, mlpOptions } = trunk;
  checkShape(op, "embedding", embedding, [null, null]);
  const [, width] = embedding.shape;
  if (positions) checkShape(op, "positions", positions, [null, width]);
  if (layers.length === 0) fail(op, "there are no layers");
  checkHeads(op, attentionOptions);
  const { norm, normEps } = attentionOptions;
  if (mlpOptions.norm !== norm || mlpOptions.normEps !== normEps) {
    fail(op, "attention and MLP blocks have different norms");
  }
  for (const layer of layers) {
    checkAttention(op, layer, attentionOptions, width);
    checkMlp(op, layer.mlp, mlpOptions, width);
    checkShapeOf(op, layer, layers[0]!);
  }
  checkNorm(op, finalNorm, norm, width);
}

/** Kernels are told once which modules there are. */
function checkShapeOf(op: string, layer: DecoderLayer, first: DecoderLayer): void {
  const modules = ({ attention, mlp }: DecoderLayer) =>
    [attention, mlp].map((block) => Object.keys(block).sort().join()).join("; ");
  if (modules(layer) !== modules(first)) fail(op, "layers have different modules");
  for (const norm of ["norm", "postNorm"] as const) {
    if ((layer.attention[norm] === undefined) === (layer.mlp[norm] === undefined)) continue;
    fail(op, `attention and MLP must both have a ${norm}, or neither`);
  }
}

function checkAttention(
  op: string,
  { attention: weights, rope, window = 1 }: DecoderLayer,
  options: AttentionBlockOptions,
  width: number,
): void {
  if (!Number.isInteger(window) || window < 1) fail(op, `a window of ${window} tokens`);
  if (weights.norm) checkNorm(op, weights.norm, options.norm, width);
  if (weights.postNorm) checkNorm(op, weights.postNorm, options.norm, width);
  checkLinear(op, "q", weights.q, [null, width]);
  const qWidth = weights.q.weight.shape[0];
  const headSize = checkHeadSize(op, qWidth, options.numHeads);
  if (rope) checkRope(op, rope, headSize);
  const kvWidth = headSize * options.numKvHeads;
  checkLinear(op, "k", weights.k, [kvWidth, width]);
  checkLinear(op, "v", weights.v, [kvWidth, width]);
  checkLinear(op, "o", weights.o, [width, qWidth]);
  if ((weights.qNorm === undefined) !== (weights.kNorm === undefined))
    fail(op, "one norm of q and k");
  checkHeadNorm(op, weights.qNorm, [headSize, qWidth]);
  checkHeadNorm(op, weights.kNorm, [headSize, kvWidth]);
}

function checkHeadNorm(op: string, norm: NormWeights | undefined, widths: number[]): void {
  if (norm === undefined || widths.includes(norm.weight.size)) return;
  fail(op, `a norm of ${norm.weight.size} for heads of ${widths[0]} and ${widths[1]} in all`);
}

function checkMlp(
  op: string,
  weights: MlpBlockWeights,
  options: MlpBlockOptions,
  width: number,
): void {
  if ((weights.gate !== undefined) !== isGated(options.activation)) {
    fail(op, `activation "${options.activation}" ${weights.gate ? "has no" : "needs a"} gate`);
  }
  if (weights.norm) checkNorm(op, weights.norm, options.norm, width);
  if (weights.postNorm) checkNorm(op, weights.postNorm, options.norm, width);
  checkLinear(op, "up", weights.up, [null, width]);
  const inner = weights.up.weight.shape[0];
  if (weights.gate !== undefined) checkLinear(op, "gate", weights.gate, [inner, width]);
  checkLinear(op, "down", weights.down, [width, inner]);
}

import { StagecraftError } from "@stagecraft/core";
import type { NativeAddon, NativeSession, NativeWeightCache } from "@stagecraft/tensor-native";
import { isGated } from "../../activations.js";
import { fail } from "../../checks.js";
import type { tf } from "../../tf.js";
import type { LinearWeights, NormWeights } from "../../types.js";
import type {
  Decoder,
  DecoderOptions,
  DecoderRow,
  DecoderWeights,
  StepResult,
  StepSampling,
  TokenFilters,
} from "../decoder.js";
import type { NativeBackend } from "./backend.js";
import { activationField, layerFields, scoreFields } from "./fields.js";

/**
 * A decoding session over `weights`, which are packed into memory that later sessions over the same values
 * share, until `releasePackedWeights` or the embedding is collected.
 */
export function createNativeDecoder(
  backend: NativeBackend,
  weights: DecoderWeights,
  options: DecoderOptions,
): NativeDecoder {
  return new Session(backend, weights, options);
}

/** A decoder that samples by itself. */
export interface NativeDecoder extends Decoder {
  /** The logits never reach JavaScript; where they are not finite the log-prob is NaN, and the last of its row. */
  step(rows: readonly DecoderRow[], sampling: StepSampling): StepResult;
  /** Memory of packed weights and caches, in bytes; caches are touched only as they fill. */
  readonly numBytes: number;
}

/** Packed weights by the model's token embedding; how they are found again. */
const caches = new WeakMap<tf.Tensor, NativeWeightCache>();

function cacheOf(addon: NativeAddon, { embedding }: DecoderWeights): NativeWeightCache {
  const cache = caches.get(embedding) ?? addon.createWeightCache({});
  caches.set(embedding, cache);
  return cache;
}

/** Frees the packed copy of a model's weights once no session uses it; for models that end. */
export function releasePackedWeights({ addon }: NativeBackend, embedding: tf.Tensor): void {
  const cache = caches.get(embedding);
  if (cache) addon.clearWeightCache({ cache });
  caches.delete(embedding);
}

class Session implements NativeDecoder {
  private readonly addon: NativeAddon;
  private readonly session: NativeSession;
  private readonly vocab: number;

  constructor(
    private readonly backend: NativeBackend,
    private readonly weights: DecoderWeights,
    options: DecoderOptions,
  ) {
    const { addon } = backend;
    this.addon = addon;
    this.vocab = weights.lm.shape[0];
    this.session = guard(() => addon.createDecoder({ ...sizesOf(weights), ...options }));
    this.refreshWeights();
  }

  async append(rows: readonly DecoderRow[]): Promise<Float32Array> {
    const logits = new Float32Array(rows.length * this.vocab);
    const { session } = this;
    guard(() => this.addon.appendDecoder({ session, ...packRows(rows), logits }));
    return logits;
  }

  step(rows: readonly DecoderRow[], sampling: StepSampling): StepResult {
    const count = rows.length;
    const { temperatures, uniforms, numTokens: most = 1 } = sampling;
    const { limits = new Int32Array(count).fill(most), eosIds = new Int32Array(count).fill(-1) } =
      sampling;
    const filters = sampling.filters ? packFilters(sampling.filters, this.vocab) : {};
    const ids = new Int32Array(count * most);
    const logProbs = new Float32Array(count * most);
    const counts = new Int32Array(count);
    const how = { most, limits, eosIds, temperatures, uniforms, ...filters };
    const results = { drawnIds: ids, logProbs, drawn: counts };
    guard(() =>
      this.addon.drawDecoder({ session: this.session, ...packRows(rows), ...how, ...results }),
    );
    return { ids, logProbs, counts };
  }

  fork(from: number, to: number, length: number): void {
    guard(() => this.addon.forkDecoder({ session: this.session, from, to, length }));
  }

  reset(slot: number): void {
    this.truncate(slot, 0);
  }

  truncate(slot: number, length: number): void {
    guard(() => this.addon.truncateDecoder({ session: this.session, slot, length }));
  }

  refreshWeights(): void {
    const tensors = listTensors(this.backend, this.weights);
    const cache = cacheOf(this.addon, this.weights);
    guard(() => this.addon.loadDecoder({ session: this.session, cache, tensors }));
  }

  get numBytes(): number {
    return this.addon.decoderBytes({ session: this.session });
  }

  dispose(): void {
    this.addon.disposeDecoder({ session: this.session });
  }
}

/** The rows as the addon takes them: tokens of all in one array. */
function packRows(rows: readonly DecoderRow[]) {
  const count = rows.length;
  const slots = new Int32Array(count);
  const counts = new Int32Array(count);
  let total = 0;
  for (let i = 0; i < count; i++) {
    slots[i] = rows[i]!.slot;
    total += counts[i] = rows[i]!.ids.length;
  }
  const ids = new Int32Array(total);
  let at = 0;
  for (const row of rows) {
    ids.set(row.ids, at);
    at += row.ids.length;
  }
  return { count, total, slots, counts, ids };
}

/** The arrays that the addon's `drawDecoder` takes: limits [rows, 4] and all histories in one. */
function packFilters(rows: readonly (TokenFilters | undefined)[], vocab: number) {
  const filters = new Float64Array(4 * rows.length);
  const historyEnds = new Int32Array(rows.length);
  const penalised = rows.map((row) => (row && row.repetitionPenalty !== 1 ? row.history : []));
  const history = new Int32Array(penalised.reduce((sum, { length }) => sum + length, 0));
  let end = 0;
  rows.forEach((row, i) => {
    const { topK = 0, topP = 1, minP = 0, repetitionPenalty = 1 } = row ?? {};
    filters.set([Math.min(topK, vocab), topP, minP, repetitionPenalty], 4 * i);
    history.set(penalised[i]!, end);
    historyEnds[i] = end += penalised[i]!.length;
  });
  return { filters, historyEnds, history, historySize: history.length };
}

/** The addon's complaints about arguments, as errors of the product. */
function guard<T>(call: () => T): T {
  try {
    return call();
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    throw new StagecraftError("invalid_argument", error.message, { cause: error });
  }
}

function sizesOf(weights: DecoderWeights) {
  const { embedding, positions, layers, attentionOptions, mlpOptions } = weights;
  const first = layers[0];
  if (first === undefined) fail("createNativeDecoder", "the model has no layers");
  const { numHeads, numKvHeads, normEps, norm } = attentionOptions;
  const { embeddingScale = 1, residualScale = 1, parallel = false, logits = {} } = weights;
  const { qNorm, postNorm } = first.attention;
  const headSize = first.attention.q.weight.shape[0] / numHeads;
  return {
    vocab: embedding.shape[0],
    width: embedding.shape[1],
    layers: layers.length,
    inner: first.mlp.up.weight.shape[0],
    maxPositions: positions?.shape[0] ?? 1,
    numHeads,
    numKvHeads,
    headSize,
    layerNorm: norm === "layer",
    gated: isGated(mlpOptions.activation),
    activation: activationField(mlpOptions.activation),
    preNorms: first.attention.norm !== undefined,
    postNorms: postNorm !== undefined,
    headNorms: qNorm === undefined ? 0 : qNorm.weight.size === headSize ? 1 : 2,
    parallel,
    ...{ embeddingScale, residualScale },
    ...{ logitDivisor: logits.divisor ?? 1, logitSoftcap: logits.softcap ?? 0 },
    ...scoreFields(attentionOptions, headSize),
    ...layerFields(layers),
    learnedPositions: positions !== undefined,
    eps: normEps,
  };
}

/** In the order of native/kernels.h; undefined where a layer lacks a tensor. */
function listTensors(
  backend: NativeBackend,
  weights: DecoderWeights,
): (Float32Array | undefined)[] {
  const values = (tensor: tf.Tensor | undefined) => tensor && backend.peek(tensor);
  const both = (module: LinearWeights | NormWeights | undefined) => [
    values(module?.weight),
    values(module?.bias),
  ];
  return [
    values(weights.embedding),
    ...(weights.positions ? [values(weights.positions)] : []),
    ...weights.layers.flatMap(({ attention, mlp }) => [
      ...[
        attention.norm,
        attention.q,
        attention.k,
        attention.v,
        attention.o,
        mlp.norm,
        mlp.gate,
        mlp.up,
        mlp.down,
      ].flatMap(both),
      values(attention.qNorm?.weight),
      values(attention.kNorm?.weight),
      ...[attention.postNorm, mlp.postNorm].flatMap(both),
    ]),
    ...both(weights.finalNorm),
    values(weights.lm),
  ];
}

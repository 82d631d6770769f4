import { StagecraftError } from "@stagecraft/core";
import type { NativeAddon, NativeSession, NativeWeightCache } from "@stagecraft/tensor-native";
import { fail } from "../checks.js";
import type { tf } from "../tf.js";
import type { DecoderTrunk, LinearWeights, NormWeights } from "../types.js";
import { readValues } from "../values.js";
import { nativeBackend } from "./current.js";

/** A decoder with its language head. */
export interface DecoderWeights extends DecoderTrunk {
  lm: tf.Tensor2D; // [V, D]
}

export interface NativeDecoderOptions {
  /** Slots for sequences that live at the same time. */
  maxSequences: number;
  /** Longest sequence of a slot, prompt included. */
  maxLength: number;
}

export interface NativeDecoderRow {
  readonly slot: number;
  readonly ids: Int32Array;
}

/** Limits on which tokens may be drawn, as libs/model's SamplingParams; off: 0, 1, 0 and 1. */
export interface TokenFilters {
  readonly topK: number;
  readonly topP: number;
  readonly minP: number;
  readonly repetitionPenalty: number;
  /** Ids that the penalty is for, in any order, repeated or not. */
  readonly history: readonly number[];
}

/** How `step` samples each row: from softmax(logits / temperature); temperature 0 takes the best. */
export interface StepSampling {
  /** [rows] */
  readonly temperatures: Float32Array;
  /** [rows, numTokens] numbers in [0, 1) from the caller's generator. */
  readonly uniforms: Float32Array;
  /** Most tokens to draw for a row, each read before the next; default 1. */
  readonly numTokens?: number;
  /** [rows] the same for each row, 1 … numTokens; default numTokens for all. */
  readonly limits?: Int32Array;
  /** [rows] the token after which a row draws no more, −1 for none; default none. */
  readonly eosIds?: Int32Array;
  /**
   * One per row, undefined where a row has none; left out when no row has any. A repetition penalty
   * needs a limit of 1, since `history` does not grow within a step.
   */
  readonly filters?: readonly (TokenFilters | undefined)[];
}

export interface StepResult {
  /** [rows, numTokens], of which each row has `counts`; the last of them is not read yet. */
  ids: Int32Array;
  /** log p of each sampled id under the temperature-only softmax (temperature 0: under 1). */
  logProbs: Float32Array;
  /** [rows] tokens drawn. */
  counts: Int32Array;
}

/** Sequences with a KV cache on the native engine; not re-entrant. */
export interface NativeDecoder {
  /** Feeds tokens; resolves to the logits after the last token of each row, [rows · V]. */
  append(rows: readonly NativeDecoderRow[]): Promise<Float32Array>;
  /**
   * Feeds tokens and samples what follows them in each row, without the logits ever reaching
   * JavaScript. Where they are not finite the log-prob is NaN, and the last of its row.
   */
  step(rows: readonly NativeDecoderRow[], sampling: StepSampling): StepResult;
  /** Makes slot `to` hold the first `length` tokens of slot `from`. */
  fork(from: number, to: number, length: number): void;
  reset(slot: number): void;
  /** Keeps the first `length` tokens of the slot. */
  truncate(slot: number, length: number): void;
  /** Packs the weights again if they changed. */
  refreshWeights(): void;
  /** Memory of packed weights and caches, in bytes; caches are touched only as they fill. */
  readonly numBytes: number;
  dispose(): void;
}

/**
 * A decoding session over `weights`, which stay the caller's and are packed into memory that later
 * sessions over the same values share, until `releasePackedWeights` or the embedding is collected. Throws `failed_precondition` unless the native engine runs, `invalid_argument`
 * for weights that do not fit together.
 */
export function createNativeDecoder(
  weights: DecoderWeights,
  options: NativeDecoderOptions,
): NativeDecoder {
  const addon = nativeBackend()?.addon;
  if (addon === undefined) {
    throw new StagecraftError("failed_precondition", "the native engine does not run");
  }
  return new Session(addon, weights, options);
}

/** Packed weights by the model's token embedding; how they are found again. */
const caches = new WeakMap<tf.Tensor, NativeWeightCache>();

function cacheOf(addon: NativeAddon, { embedding }: DecoderWeights): NativeWeightCache {
  const cache = caches.get(embedding) ?? addon.createWeightCache({});
  caches.set(embedding, cache);
  return cache;
}

/** Frees the packed copy of a model's weights once no session uses it; for models that end. */
export function releasePackedWeights(embedding: tf.Tensor): void {
  const cache = caches.get(embedding);
  if (cache) nativeBackend()?.addon.clearWeightCache({ cache });
  caches.delete(embedding);
}

class Session implements NativeDecoder {
  private readonly session: NativeSession;
  private readonly vocab: number;

  constructor(
    private readonly addon: NativeAddon,
    private readonly weights: DecoderWeights,
    options: NativeDecoderOptions,
  ) {
    this.vocab = weights.lm.shape[0];
    this.session = guard(() => addon.createDecoder({ ...sizesOf(weights), ...options }));
    this.refreshWeights();
  }

  async append(rows: readonly NativeDecoderRow[]): Promise<Float32Array> {
    const logits = new Float32Array(rows.length * this.vocab);
    const { session } = this;
    guard(() => this.addon.appendDecoder({ session, ...packRows(rows), logits }));
    return logits;
  }

  step(rows: readonly NativeDecoderRow[], sampling: StepSampling): StepResult {
    const count = rows.length;
    const { temperatures, uniforms, numTokens: most = 1 } = sampling;
    const { limits = new Int32Array(count).fill(most), eosIds = new Int32Array(count).fill(-1) } =
      sampling;
    const filters = sampling.filters ? packFilters(sampling.filters) : {};
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
    const tensors = listTensors(this.weights);
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
function packRows(rows: readonly NativeDecoderRow[]) {
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
function packFilters(rows: readonly (TokenFilters | undefined)[]) {
  const filters = new Float64Array(4 * rows.length);
  const historyEnds = new Int32Array(rows.length);
  const penalised = rows.map((row) => (row && row.repetitionPenalty !== 1 ? row.history : []));
  const history = new Int32Array(penalised.reduce((sum, { length }) => sum + length, 0));
  let end = 0;
  rows.forEach((row, i) => {
    const { topK = 0, topP = 1, minP = 0, repetitionPenalty = 1 } = row ?? {};
    filters.set([topK, topP, minP, repetitionPenalty], 4 * i);
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
  const { numHeads, numKvHeads, ropeTheta, normEps, norm } = attentionOptions;
  return {
    vocab: embedding.shape[0],
    width: embedding.shape[1],
    layers: layers.length,
    inner: first.mlp.up.weight.shape[0],
    maxPositions: positions?.shape[0] ?? 1,
    numHeads,
    numKvHeads,
    headSize: first.attention.q.weight.shape[0] / numHeads,
    layerNorm: norm === "layer",
    gated: mlpOptions.activation === "swiglu",
    learnedPositions: positions !== undefined,
    eps: normEps,
    ropeTheta: ropeTheta ?? 0,
  };
}

/** In the order of native/kernels.h; undefined where a layer lacks a tensor. */
function listTensors(weights: DecoderWeights): (Float32Array | undefined)[] {
  const values = (tensor: tf.Tensor | undefined) => tensor && readValues(tensor);
  const both = (module: LinearWeights | NormWeights | undefined) => [
    values(module?.weight),
    values(module?.bias),
  ];
  return [
    values(weights.embedding),
    ...(weights.positions ? [values(weights.positions)] : []),
    ...weights.layers.flatMap(({ attention, mlp }) =>
      [
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
    ),
    ...both(weights.finalNorm),
    values(weights.lm),
  ];
}

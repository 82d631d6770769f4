import { StagecraftError } from "@stagecraft/core";
import type { NativeAddon, NativeSession } from "@stagecraft/tensor-native";
import { fail } from "../checks.js";
import type { tf } from "../tf.js";
import type {
  AttentionBlockOptions,
  AttentionBlockWeights,
  LinearWeights,
  MlpBlockOptions,
  MlpBlockWeights,
  NormWeights,
} from "../types.js";
import { readValues } from "../values.js";
import { nativeBackend } from "./current.js";

/** The tensors of a decoder-only transformer, as the fused blocks take them. */
export interface DecoderWeights {
  embedding: tf.Tensor2D; // [V, D]
  /** Learned positions [P, D] (GPT-2). */
  positions?: tf.Tensor2D;
  layers: readonly { attention: AttentionBlockWeights; mlp: MlpBlockWeights }[];
  finalNorm: NormWeights;
  lm: tf.Tensor2D; // [V, D]
  attentionOptions: AttentionBlockOptions;
  mlpOptions: MlpBlockOptions;
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

/** How `step` samples each row: from softmax(logits / temperature); temperature 0 takes the best. */
export interface StepSampling {
  temperatures: Float32Array;
  /** One number in [0, 1) per row, from the caller's generator. */
  uniforms: Float32Array;
}

export interface StepResult {
  ids: Int32Array;
  /** log p of each sampled id under the temperature-only softmax (temperature 0: under 1). */
  logProbs: Float32Array;
}

/** Sequences with a KV cache on the native engine; not re-entrant. */
export interface NativeDecoder {
  /** Feeds tokens; resolves to the logits after the last token of each row, [rows · V]. */
  append(rows: readonly NativeDecoderRow[]): Promise<Float32Array>;
  /** Feeds tokens and samples one more per row, without the logits ever reaching JavaScript. */
  step(rows: readonly NativeDecoderRow[], sampling: StepSampling): StepResult;
  /** Makes slot `to` hold the first `length` tokens of slot `from`. */
  fork(from: number, to: number, length: number): void;
  reset(slot: number): void;
  /** Keeps the first `length` tokens of the slot. */
  truncate(slot: number, length: number): void;
  /** Packs the weights again; call it after they changed. */
  refreshWeights(): void;
  /** Memory of packed weights and caches, in bytes; caches are touched only as they fill. */
  readonly numBytes: number;
  dispose(): void;
}

/**
 * A decoding session over `weights`, which stay the caller's and are packed into memory of the
 * session's own. Throws `failed_precondition` unless the native engine runs, `invalid_argument`
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

class Session implements NativeDecoder {
  private readonly session: NativeSession;
  private readonly vocab: number;
  private logits = new Float32Array(0);

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
    this.run(rows, logits);
    return logits;
  }

  step(rows: readonly NativeDecoderRow[], sampling: StepSampling): StepResult {
    const count = rows.length;
    const size = count * this.vocab;
    if (this.logits.length !== size) this.logits = new Float32Array(size);
    this.run(rows, this.logits);
    const result = { ids: new Int32Array(count), logProbs: new Float32Array(count) };
    const { logits, vocab } = this;
    guard(() => this.addon.sample({ count, vocab, logits, ...sampling, ...result }));
    return result;
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
    guard(() => this.addon.loadDecoder({ session: this.session, tensors }));
  }

  get numBytes(): number {
    return this.addon.decoderBytes({ session: this.session });
  }

  dispose(): void {
    this.addon.disposeDecoder({ session: this.session });
  }

  private run(rows: readonly NativeDecoderRow[], logits: Float32Array): void {
    const counts = Int32Array.from(rows, ({ ids }) => ids.length);
    const slots = Int32Array.from(rows, ({ slot }) => slot);
    const total = counts.reduce((sum, count) => sum + count, 0);
    const ids = new Int32Array(total);
    let at = 0;
    for (const row of rows) {
      ids.set(row.ids, at);
      at += row.ids.length;
    }
    const { session } = this;
    guard(() =>
      this.addon.appendDecoder({ session, count: rows.length, total, slots, counts, ids, logits }),
    );
  }
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

import type { GatedActivation, PlainActivation } from "../activations.js";
import type { Params } from "../gradients.js";
import type { tf } from "../tf.js";
import type {
  AttentionOptions,
  DecoderTrunk,
  LinearWeights,
  NormKind,
  NormWeights,
  RotaryOptions,
  SequenceLayout,
  TokenLogProbs,
  TokenLogProbsOptions,
} from "../types.js";
import type { Decoder, DecoderOptions, DecoderWeights } from "./decoder.js";
import type { Optimizer, OptimizerConfig } from "./optimizer.js";

export type EngineName = "native" | "xla" | "tensorflow" | "cpu";

/** What runs in this thread: facts to show, never to branch on which engine it is. */
export interface EngineInfo {
  name: EngineName;
  numThreads: number;
  /** Instruction set of the native kernels, e.g. "avx512"; "gpu" where TensorFlow has one; else "none". */
  simd: string;
  /** Devices that the parts of a batch may be computed on at once; absent = 1. */
  numDevices?: number;
  /** How the factors of matrix products are rounded; absent = f32. */
  matmulPrecision?: "f32" | "bf16";
  /** Who computes causal attention where it can; absent = plain. */
  attention?: "plain" | "cudnn";
  /** Whether a row's results are the same bits in a batch of any size. */
  batchInvariant: boolean;
  /** One line for the user: what an engine cannot do here, and how to get it. */
  notice?: string;
}

/** The fused operations behind the public functions of `ops`, which check the arguments and say what each is. */
export interface Operations {
  embedding(ids: Int32Array, table: tf.Tensor2D): tf.Tensor2D;
  linear(x: tf.Tensor2D, weights: LinearWeights): tf.Tensor2D;
  norm(
    x: tf.Tensor2D,
    weights: NormWeights,
    options: { norm: NormKind; normEps: number },
  ): tf.Tensor2D;
  activate<T extends tf.Tensor>(activation: PlainActivation, x: T): T;
  gated<T extends tf.Tensor>(activation: GatedActivation, gate: T, up: T): T;
  scaledSum(x: tf.Tensor1D, factor: number): tf.Scalar;
  rotary(x: tf.Tensor2D, positions: Int32Array, options: RotaryOptions): tf.Tensor2D;
  causalAttention(
    q: tf.Tensor2D,
    k: tf.Tensor2D,
    v: tf.Tensor2D,
    layout: SequenceLayout,
    options: AttentionOptions,
  ): tf.Tensor2D;
  decoderHidden(
    ids: Int32Array,
    trunk: DecoderTrunk,
    layout: SequenceLayout,
    rows?: Int32Array,
  ): tf.Tensor2D;
  tokenLogProbs(
    hidden: tf.Tensor2D,
    weight: tf.Tensor2D,
    targets: Int32Array,
    options?: TokenLogProbsOptions,
  ): TokenLogProbs;
}

/** What one token takes in the caches of a decoder. */
export interface KvShape {
  readonly numLayers: number;
  readonly numKvHeads: number;
  readonly headSize: number;
}

export interface MemoryReport {
  /** Tensors alive in this thread. */
  numTensors: number;
  /** Bytes of arrays in use: of the native engine's pool, elsewhere of all tensors. */
  usedBytes: number;
  /** Bytes of arrays that wait for reuse; 0 where the engine has no pool. */
  idleBytes: number;
}

/** What an engine that records has done so far: an operation of its own would be a program more. */
export interface ProgramCounts {
  /** Programs compiled, or found compiled. */
  compiled: number;
  /** Programs run. */
  executed: number;
}

/**
 * Everything that differs between the ways to compute: one folder each. Tensors are TFJS's; where
 * they, the moments of an optimizer and the caches of a decoder live is the engine's own business.
 */
export interface Engine {
  readonly info: EngineInfo;
  readonly ops: Operations;
  createDecoder(weights: DecoderWeights, options: DecoderOptions): Decoder;
  createOptimizer(params: Params, config: OptimizerConfig): Optimizer;
  /** Computes what was recorded so far; absent where operations are computed as they come. */
  runRecorded?(): void;
  /** Of this thread; absent where operations are computed as they come. */
  programCounts?(): ProgramCounts;
  /**
   * Sums of what each part of a batch gives, computed by a device each; absent on engines of one device. The parts
   * are run here and their tensors disposed.
   */
  sumAcrossDevices?(parts: readonly (() => readonly tf.Tensor[])[]): tf.Tensor[];
  /** See `paddedSize`; absent where no shape is better than another. */
  paddedSize?(size: number): number;
  /** Bytes that a decoder holds for one token of a sequence. */
  kvBytesPerToken(shape: KvShape): number;
  memory(): MemoryReport;
  releaseIdleMemory(): void;
  /** Frees what decoders derived from a model's weights, found by its token embedding. */
  releaseWeights(embedding: tf.Tensor): void;
  /** Hears that nobody else holds a variable's memory, so that it may be changed in place. */
  ownValues(variable: tf.Variable): void;
}

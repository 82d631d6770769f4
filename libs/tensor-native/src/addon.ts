/** What a native entry reads from its argument object; it checks types, lengths and ids itself. */
export type NativeValue =
  | number
  | boolean
  | string
  | object
  | Float32Array
  | Int32Array
  | Float64Array
  | readonly (Float32Array | undefined)[]
  | undefined;

export type NativeArgs = Readonly<Record<string, NativeValue>>;

/** Reads and writes the arrays of its argument; throws a RangeError that names field and sizes. */
export type NativeCall = (args: NativeArgs) => void;

export interface NativeInfo {
  /** Instruction set in use: "avx512", "avx2", "neon" or "baseline". */
  simd: string;
  numThreads: number;
  /** Threads in use at the moment: fewer while other processes want the cores. */
  activeThreads: number;
  physicalCores: number;
  /** Scratch memory held by all threads, in bytes; it grows to the largest need and stays. */
  scratchBytes: number;
}

/** A decoding session; freed when disposed or collected. */
export interface NativeSession {
  readonly __nativeSession: never;
}

/** Packed weights that outlive sessions; freed when collected. */
export interface NativeWeightCache {
  readonly __nativeWeightCache: never;
}

/** The functions of the addon; fields of each argument are listed in native/*.cc. */
export interface NativeAddon {
  info(args: NativeArgs): NativeInfo;
  configure(args: { numThreads?: number; simd?: string }): void;
  /**
   * Gives the memory of `arrays` to the system until they are written again; their values are lost.
   * With `trim` also this thread's scratch and what the allocator keeps.
   */
  dropContents(args: { arrays: readonly Float32Array[]; sizes: Int32Array; trim: boolean }): void;
  embedding: NativeCall;
  embeddingGrad: NativeCall;
  linear: NativeCall;
  linearGrad: NativeCall;
  norm: NativeCall;
  normGrad: NativeCall;
  gated: NativeCall;
  gatedGrad: NativeCall;
  activate: NativeCall;
  activateGrad: NativeCall;
  add: NativeCall;
  exp: NativeCall;
  rotary: NativeCall;
  attention: NativeCall;
  attentionGrad: NativeCall;
  decoderLayers: NativeCall;
  decoderLayersGrad: NativeCall;
  tokenLogProbs: NativeCall;
  tokenLogProbsGrad: NativeCall;
  globalNorm(args: NativeArgs): number;
  optimizerStep: NativeCall;
  createWeightCache(args: NativeArgs): NativeWeightCache;
  clearWeightCache: NativeCall;
  createDecoder(args: NativeArgs): NativeSession;
  disposeDecoder: NativeCall;
  loadDecoder: NativeCall;
  truncateDecoder: NativeCall;
  forkDecoder: NativeCall;
  appendDecoder: NativeCall;
  drawDecoder: NativeCall;
  decoderBytes(args: NativeArgs): number;
}

/** Element types by their names in HLO, with the typed array that holds them on the host. */
export interface PjrtArrays {
  pred: Uint8Array;
  s8: Int8Array;
  s16: Int16Array;
  s32: Int32Array;
  s64: BigInt64Array;
  u8: Uint8Array;
  u16: Uint16Array;
  u32: Uint32Array;
  u64: BigUint64Array;
  /** The 16 bits of each number. */
  f16: Uint16Array;
  /** The 16 bits of each number: the upper half of a float32. */
  bf16: Uint16Array;
  f32: Float32Array;
  f64: Float64Array;
}

export type PjrtDtype = keyof PjrtArrays;
export type PjrtArray = PjrtArrays[PjrtDtype];

export interface PjrtDevice {
  /** The number to hand to `upload`: its place in `devices`. */
  readonly id: number;
  /** The maker's name of the model, such as "NVIDIA H200". */
  readonly kind: string;
  readonly description: string;
}

/** An array on a device. Use after `free` or after a donation is refused with `failed_precondition`. */
export interface PjrtBuffer {
  readonly dtype: PjrtDtype;
  readonly shape: readonly number[];
  /** Place in the client's `devices`. */
  readonly device: number;
  /** Freed, or donated to a program that wrote its output there. */
  readonly isDeleted: boolean;
  /** Copies to the host; errors of the execution that made the buffer come out here. */
  read(): Promise<PjrtArray>;
  /** As `read`, and blocks until the value is there. */
  readSync(): PjrtArray;
  /** Gives the memory back; calling it again, or after a donation, does nothing. */
  free(): void;
}

/** A compiled program. */
export interface PjrtProgram {
  readonly numOutputs: number;
  readonly numReplicas: number;
  /** Whether it came from the cache on disk instead of the compiler. */
  readonly fromCache: boolean;
  /**
   * Starts the program on the arguments' device and returns its outputs without waiting for them. Arguments
   * that the text marks with `tf.aliasing_output` or `jax.buffer_donor` are deleted by it.
   */
  execute(args: readonly PjrtBuffer[]): PjrtBuffer[];
  /** The same on `numReplicas` devices at once: one list of arguments, and of outputs, for each. */
  executeReplicas(args: readonly (readonly PjrtBuffer[])[]): PjrtBuffer[][];
  /** The compiled form for `PjrtClient.load`; undefined where the plugin cannot serialise. */
  serialize(): Buffer | undefined;
  free(): void;
}

export interface PjrtCompileOptions {
  /** Devices that run it together, default 1; more need `stablehlo.all_reduce` or the like in the text. */
  numReplicas?: number;
}

export interface PjrtMemoryStats {
  bytesInUse: number;
  peakBytesInUse?: number;
  /** What the plugin will take at most. */
  bytesLimit?: number;
}

/** A plugin's devices. One a process is enough: a GPU plugin reserves most of the device's memory. */
export interface PjrtClient {
  /** Such as "cuda" or "cpu". */
  readonly platform: string;
  /** The plugin's own words, with the version of PJRT that it was built for. */
  readonly version: string;
  readonly devices: readonly PjrtDevice[];
  /** Buffers that hold memory: neither freed nor donated. */
  readonly liveBuffers: number;
  /** Compiles StableHLO text with a public function `main`; blocks for seconds. */
  compile(mlirText: string, options?: PjrtCompileOptions): PjrtProgram;
  /** What `serialize` gave, of the same text, plugin version and kind of device. */
  load(serialized: Buffer, mlirText: string, options?: PjrtCompileOptions): PjrtProgram;
  upload(data: PjrtArray, dtype: PjrtDtype, shape: readonly number[], device?: number): PjrtBuffer;
  /** Of one device, default the first; undefined where the plugin does not count. */
  memoryStats(device?: number): PjrtMemoryStats | undefined;
  /** Frees all buffers and programs and the devices' memory; the client is of no use afterwards. */
  close(): void;
}

export interface PjrtOptions {
  /** A directory for compiled programs; without one nothing is kept. */
  cacheDir?: string;
  /** Options of the plugin's own, such as `{ preallocate: false, memory_fraction: 0.5 }` on CUDA. */
  createOptions?: Readonly<Record<string, string | number | boolean | readonly number[]>>;
  /** XLA's debug options by name, such as `{ xla_gpu_cuda_data_dir: "/usr/local/cuda" }`. */
  compilerOptions?: Readonly<Record<string, string | number | boolean>>;
}

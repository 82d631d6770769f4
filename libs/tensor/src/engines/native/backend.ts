import type { NativeAddon } from "@stagecraft/tensor-native";
import { tf } from "../../tf.js";
import { BufferPool, type BufferStatistics } from "./buffers.js";

/** The part of tfjs-backend-cpu's MathBackendCPU that we build on. */
interface CpuBackend extends tf.KernelBackend {
  data: tf.DataStorage<{ values: tf.TypedArray; dtype: tf.DataType; refCount: number }>;
  makeTensorInfo(shape: number[], dtype: tf.DataType, values: tf.TypedArray): tf.TensorInfo;
  readSync(dataId: object): tf.TypedArray;
  disposeData(dataId: object, force?: boolean): boolean;
}

/** TFJS's CPU backend with memory that is reused: what the fused native kernels allocate from. */
export interface NativeBackend extends CpuBackend {
  readonly addon: NativeAddon;
  /** The tensor's own memory, without making it visible outside. */
  peek(tensor: tf.TensorInfo): Float32Array;
  /** A tensor over reused memory of unspecified content, owned by the current scope. */
  output<T extends tf.Tensor>(shape: number[]): { tensor: T; values: Float32Array };
  /** Scratch for one kernel call; give it back with `release`. */
  scratch(length: number): Float32Array;
  release(values: Float32Array): void;
  /** True for tensors whose memory belongs to the pool. */
  owns(dataId: object): boolean;
  sharesPool(values: tf.TypedArray): boolean;
  buffers(): Readonly<BufferStatistics>;
  /** Gives the memory of idle buffers to the system; they come back page by page as they are used. */
  dropIdle(): void;
}

/**
 * Makes the backend class on top of the running MathBackendCPU (its class is not exported by the
 * `@tensorflow/tfjs` bundle, so it is taken from an instance).
 */
export function createNativeBackend(cpu: tf.KernelBackend, addon: NativeAddon): NativeBackend {
  const Base = cpu.constructor as new () => CpuBackend;
  return new (class extends Base implements NativeBackend {
    readonly addon = addon;
    // What the pool gives up waits for the garbage collector: its pages need not.
    private readonly pool = new BufferPool((array) => drop(addon, [array], false));
    /** dataId → pooled array, until it is disposed or read from outside. */
    private readonly pooled = new WeakMap<object, Float32Array>();
    private readonly poolMemory = new WeakSet<ArrayBufferLike>();

    peek(tensor: tf.TensorInfo): Float32Array {
      return this.data.get(tensor.dataId).values as Float32Array;
    }

    output<T extends tf.Tensor>(shape: number[]) {
      const values = this.scratch(tf.util.sizeFromShape(shape));
      const info = this.makeTensorInfo(shape, "float32", values);
      this.pooled.set(info.dataId, values);
      return { tensor: tf.engine().makeTensorFromTensorInfo(info, this) as T, values };
    }

    scratch(length: number): Float32Array {
      const values = this.pool.take(length);
      this.poolMemory.add(values.buffer);
      return values;
    }

    release(values: Float32Array): void {
      this.pool.give(values);
    }

    owns(dataId: object): boolean {
      return this.pooled.has(dataId);
    }

    sharesPool(values: tf.TypedArray): boolean {
      return this.poolMemory.has(values.buffer);
    }

    buffers() {
      return this.pool.report();
    }

    dropIdle(): void {
      drop(addon, this.pool.listIdle(), true);
    }

    /** Hands the memory itself out, as MathBackendCPU does, so it never returns to the pool. */
    override readSync(dataId: object): tf.TypedArray {
      const values = this.pooled.get(dataId);
      if (values !== undefined) {
        this.pooled.delete(dataId);
        this.poolMemory.delete(values.buffer);
        this.pool.forget(values);
      }
      return super.readSync(dataId);
    }

    override disposeData(dataId: object, force?: boolean): boolean {
      const gone = super.disposeData(dataId, force);
      const values = gone ? this.pooled.get(dataId) : undefined;
      if (values !== undefined) {
        this.pooled.delete(dataId);
        this.pool.give(values);
      }
      return gone;
    }
  })();
}

function drop(addon: NativeAddon, arrays: readonly Float32Array[], trim: boolean): void {
  const sizes = Int32Array.from(arrays, ({ length }) => length);
  addon.dropContents({ arrays, sizes, trim });
}

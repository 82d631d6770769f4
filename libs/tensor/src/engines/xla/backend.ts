import { StagecraftError } from "@stagecraft/core";
import type { PjrtClient } from "@stagecraft/tensor-xla";
import { tf } from "../../tf.js";
import { arrayOf, Device, freeBuffers, fromDevice } from "./device.js";
import { reshape } from "./hlo.js";
import { Value, type ElementType, type HostArray } from "./value.js";

/** A tensor's data: a value, and how many tensors share it. */
interface Entry {
  readonly value: Value;
  refCount: number;
}

/** Larger arrays go to the device at once, so that the host's may be changed or dropped. */
const MAX_COPIED = 1 << 16;

const TYPES: Partial<Record<tf.DataType, ElementType>> = {
  float32: "f32",
  int32: "i32",
  bool: "i1",
};
const DTYPES = {
  f32: "float32",
  i32: "int32",
  i1: "bool",
  bf16: "float32",
  f64: "float32",
} as const;

export interface XlaBackendOptions {
  /** How factors of matrix products are rounded; sums are f32. */
  products: "f32" | "bf16";
  /** Who computes causal attention where it can, see `suitsCudnn`. */
  attention: "plain" | "cudnn";
}

const DEFAULTS: XlaBackendOptions = { products: "f32", attention: "plain" };

/**
 * TFJS's backend that records: a kernel adds to a program, which runs when somebody reads. Then all that
 * was recorded and is still held by a tensor is computed in one call.
 */
export class XlaBackend extends tf.KernelBackend {
  readonly device: Device;
  private readonly data = new tf.DataStorage<Entry>(this, tf.engine() as unknown as tf.DataMover);
  /** Values that a tensor holds. */
  private readonly live = new Set<Value>();
  /** Values on the device that no tensor holds but a recorded operation may read. */
  private readonly spent = new Set<Value>();
  /** Held values that are not computed yet. */
  private numRecorded = 0;
  private nextId = 0;
  private readonly standIns = new WeakMap<object, Value>();
  /** Large arrays stay on the host, to go to the device that they are for. */
  private keepsLarge = false;

  readonly options: XlaBackendOptions;
  /** Who computes attention now. */
  attention: XlaBackendOptions["attention"];

  constructor(
    readonly client: PjrtClient,
    options: Partial<XlaBackendOptions> = {},
  ) {
    super();
    this.options = { ...DEFAULTS, ...options };
    this.attention = this.options.attention;
    this.device = new Device(client);
  }

  /** The value behind a tensor. */
  value(tensor: tf.TensorInfo): Value {
    return this.data.get(tensor.dataId).value;
  }

  /** A tensor's description over a new value, for a kernel to return. */
  info(value: Value): tf.TensorInfo {
    const dataId = { id: this.nextId++ };
    this.hold(dataId, value, 1);
    return { dataId, shape: [...value.shape], dtype: DTYPES[value.type] };
  }

  /** A tensor over a new value, owned by the current scope. */
  tensor<T extends tf.Tensor>(value: Value): T {
    return tf.engine().makeTensorFromTensorInfo(this.info(value), this) as T;
  }

  /**
   * An array that stands for integers which are in no array: operations that take it get the value. What it
   * holds is for those that look before, such as how large a position may be.
   */
  standIn(value: Value, content: number): Int32Array {
    const array = new Int32Array(value.size).fill(content);
    this.standIns.set(array, value);
    return array;
  }

  /** An input of the next program, which is no tensor; the array may change afterwards. */
  input(array: Int32Array | Float32Array, shape: readonly number[]): Value {
    const known = this.standIns.get(array);
    if (known) return reshape(known, shape);
    const type = array instanceof Float32Array ? "f32" : "i32";
    return new Value(shape, type, { kind: "host", array: array.slice() });
  }

  /** Frees values on the device once what was recorded has run. */
  retire(values: readonly Value[]): void {
    for (const value of values) this.spent.add(value);
    if (this.numRecorded === 0) this.freeSpent();
  }

  /** Brings a tensor's numbers to the device now, so that programs read them as a buffer of their own. */
  settle(tensor: tf.Tensor): void {
    this.device.upload(this.value(tensor));
  }

  /**
   * Computes everything recorded that a tensor still holds, in one program. Values that `passing` names
   * are no results of it: what is recorded of them cannot be read afterwards.
   */
  flush(passing: readonly Value[] = []): void {
    this.settleVariables();
    const unwanted = new Set(passing);
    const recorded = [...this.live].filter(({ isRecorded }) => isRecorded);
    const outputs = recorded.filter((value) => !unwanted.has(value));
    if (outputs.length > 0) this.device.compute(outputs, (input) => this.spent.has(input));
    for (const value of recorded) if (unwanted.has(value)) value.origin = { kind: "gone" };
    this.numRecorded = 0;
    this.freeSpent();
  }

  override write(values: tf.BackendValues, shape: number[], dtype: tf.DataType): object {
    const dataId = { id: this.nextId++ };
    this.hold(dataId, this.taken(values, shape, dtype), 1);
    return dataId;
  }

  override move(
    dataId: object,
    values: tf.BackendValues,
    shape: number[],
    dtype: tf.DataType,
    refCount: number,
  ): void {
    this.hold(dataId, this.taken(values, shape, dtype), refCount);
  }

  override readSync(dataId: object): HostArray {
    const { value } = this.data.get(dataId);
    if (value.isRecorded) this.flush();
    const { origin } = value;
    if (origin.kind === "device") {
      return fromDevice(value, origin.buffer.readSync() as HostArray);
    }
    return hostCopy(value);
  }

  override async read(dataId: object): Promise<HostArray> {
    const { value } = this.data.get(dataId);
    if (value.isRecorded) this.flush();
    const { origin } = value;
    if (origin.kind !== "device") return hostCopy(value);
    return fromDevice(value, (await origin.buffer.read()) as HostArray);
  }

  override disposeData(dataId: object, force = false): boolean {
    if (!this.data.has(dataId)) return true;
    const entry = this.data.get(dataId);
    entry.refCount--;
    if (!force && entry.refCount > 0) return false;
    this.data.delete(dataId);
    this.release(entry.value);
    return true;
  }

  override refCount(dataId: object): number {
    return this.data.has(dataId) ? this.data.get(dataId).refCount : 0;
  }

  override incRef(dataId: object): void {
    this.data.get(dataId).refCount++;
  }

  override numDataIds(): number {
    return this.data.numDataIds();
  }

  override timerAvailable(): boolean {
    return false;
  }

  override floatPrecision(): 32 {
    return 32;
  }

  override epsilon(): number {
    return 1e-7;
  }

  override memory(): { unreliable: boolean } {
    return { unreliable: false };
  }

  /** Bytes on all devices of the buffers that tensors hold, or that wait for the next program. */
  usedBytes(): number {
    const bytesOf = ({ origin, size }: Value) =>
      origin.kind === "device" ? size * 4 * (1 + (origin.others?.length ?? 0)) : 0;
    return [...this.live, ...this.spent].reduce((sum, value) => sum + bytesOf(value), 0);
  }

  private hold(dataId: object, value: Value, refCount: number): void {
    this.data.set(dataId, { value, refCount });
    if (value.holders++ > 0) return;
    this.live.add(value);
    this.spent.delete(value);
    if (value.isRecorded) this.numRecorded++;
  }

  private release(value: Value): void {
    if (--value.holders > 0) return;
    this.live.delete(value);
    if (value.isRecorded) this.numRecorded--;
    if (value.origin.kind === "device") this.spent.add(value);
    if (this.numRecorded === 0) this.freeSpent(); // nobody can read them any more
  }

  private freeSpent(): void {
    for (const value of this.spent) freeBuffers(value);
    this.spent.clear();
  }

  /** Records with the definition of attention, whatever the option says. */
  withPlainAttention<T>(record: () => T): T {
    this.attention = "plain";
    try {
      return record();
    } finally {
      this.attention = this.options.attention;
    }
  }

  /** Records what arrays of any size may be other ones for on each device. */
  withArraysOnHost<T>(record: () => T): T {
    this.keepsLarge = true;
    try {
      return record();
    } finally {
      this.keepsLarge = false;
    }
  }

  /** Variables are what programs keep reading: buffers of their own from the first program on. */
  settleVariables(): void {
    for (const variable of Object.values(tf.engine().state.registeredVariables)) {
      if (this.data.has(variable.dataId)) this.settle(variable);
    }
  }

  private taken(values: tf.BackendValues, shape: readonly number[], dtype: tf.DataType): Value {
    const known = this.standIns.get(values);
    if (known) return reshape(known, shape);
    const type = TYPES[dtype];
    if (type === undefined) {
      throw new StagecraftError("invalid_argument", `engine "xla" has no tensors of type ${dtype}`);
    }
    const array = asArray(values as ArrayLike<number>, type);
    const value = new Value(shape, type, { kind: "host", array });
    if (array.length > MAX_COPIED && !this.keepsLarge) this.device.upload(value);
    else value.origin = { kind: "host", array: array.slice() };
    return value;
  }
}

function asArray(values: ArrayLike<number>, type: ElementType): HostArray {
  if (type === "f32") return values instanceof Float32Array ? values : Float32Array.from(values);
  if (type === "i32") return values instanceof Int32Array ? values : Int32Array.from(values);
  return Uint8Array.from(values);
}

function hostCopy(value: Value): HostArray {
  const { origin } = value;
  if (origin.kind === "gone") {
    throw new StagecraftError(
      "failed_precondition",
      "a gradient is read that an optimizer's step has used up: read it before the step",
    );
  }
  if (origin.kind === "host") return origin.array.slice();
  return arrayOf(value).fill(origin.kind === "splat" ? origin.value : NaN);
}

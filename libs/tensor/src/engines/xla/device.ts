import type { PjrtBuffer, PjrtClient, PjrtProgram } from "@stagecraft/tensor-xla";
import type { ProgramCounts } from "../engine.js";
import { packedArray, writeProgram, type RecordedProgram } from "./program.js";
import type { HostArray, Value } from "./value.js";

/** What a device has done, to be shown and tested. */
interface DeviceCounters extends ProgramCounts {
  /** Programs recorded to be run many times. */
  recorded: number;
}

/** Programs kept; the one used least recently goes. */
const MAX_PROGRAMS = 512;

/** What a value's buffers hold goes. */
export function freeBuffers({ origin }: Value): void {
  if (origin.kind !== "device") return;
  for (const buffer of [origin.buffer, ...(origin.others ?? [])]) buffer.free();
}

/**
 * The first device: values are computed there by programs that are compiled once for each text. Programs that sum
 * over devices run on several, and what they give is the same on each.
 */
export class Device {
  readonly counters: DeviceCounters = { compiled: 0, executed: 0, recorded: 0 };
  private readonly programs = new Map<string, PjrtProgram>();

  constructor(private readonly client: PjrtClient) {}

  /** Computes recorded values in one call; each is on the device afterwards. */
  compute(outputs: readonly Value[], isSpent: (input: Value) => boolean): void {
    const [buffers, ...others] = this.execute(writeProgram(outputs, isSpent));
    outputs.forEach((value, i) => {
      const copies = others.map((list) => list[i]!);
      const both = copies.length > 0 ? { others: copies } : {};
      value.origin = { kind: "device", buffer: buffers![i]!, ...both };
      value.replaces = undefined; // or the whole line of its predecessors would stay in memory
    });
  }

  /** Runs a program on what its inputs hold now; gives its outputs' buffers, of each device. */
  execute(recorded: Omit<RecordedProgram, "outputs">): PjrtBuffer[][] {
    const { text, deviceInputs, packed, numDevices } = recorded;
    const program = this.programOf(text, numDevices);
    const devices = Array.from({ length: numDevices }, (_, device) => device);
    const vectors = devices.map((device) => this.sendPacked(packed, device));
    const args = devices.map((device) => [
      ...deviceInputs.map((value) => this.bufferOf(value, device)),
      ...vectors[device]!,
    ]);
    const buffers = numDevices === 1 ? [program.execute(args[0]!)] : program.executeReplicas(args);
    this.counters.executed++;
    for (const vector of vectors.flat()) vector.free();
    return buffers;
  }

  private sendPacked(packed: RecordedProgram["packed"], device: number): PjrtBuffer[] {
    return (["f32", "i32"] as const)
      .filter((type) => packed[type].length > 0)
      .map((type) => {
        const array = packedArray(packed[type], type, device);
        return this.send(array, [array.length], device);
      });
  }

  /** A value as a device has it; what a further one lacks goes there. */
  private bufferOf(value: Value, device: number): PjrtBuffer {
    const { id, origin } = value;
    if (origin.kind !== "device") throw new Error(`value ${id} is not on the device`);
    const { buffer, others = [] } = origin;
    if (device === 0) return buffer;
    const known = others[device - 1];
    if (known) return known;
    const copy = this.send(buffer.readSync() as HostArray, buffer.shape, device);
    value.origin = { ...origin, others: [...others, copy] };
    return copy;
  }

  /** Puts the host's numbers, or one number everywhere, on the device. */
  upload(value: Value): void {
    const { origin } = value;
    if (origin.kind !== "host" && origin.kind !== "splat") return;
    const array = origin.kind === "host" ? origin.array : arrayOf(value).fill(origin.value);
    value.origin = { kind: "device", buffer: this.send(array, value.shape) };
  }

  private send(array: HostArray, shape: readonly number[], device = 0): PjrtBuffer {
    if (array instanceof Float32Array) return this.client.upload(array, "f32", shape, device);
    const integers = array instanceof Int32Array ? array : Int32Array.from(array);
    return this.client.upload(integers, "s32", shape, device);
  }

  private programOf(text: string, numReplicas: number): PjrtProgram {
    const known = this.programs.get(text);
    this.programs.delete(text); // and behind the others again
    const program = known ?? this.client.compile(text, { numReplicas });
    if (!known) this.counters.compiled++;
    this.programs.set(text, program);
    if (this.programs.size > MAX_PROGRAMS) {
      const [oldest] = this.programs.keys();
      this.programs.get(oldest!)!.free();
      this.programs.delete(oldest!);
    }
    return program;
  }
}

/** Zeros of a value's size, as the host keeps its type. */
export function arrayOf({ type, size }: Pick<Value, "type" | "size">): HostArray {
  if (type === "f32") return new Float32Array(size);
  return type === "i32" ? new Int32Array(size) : new Uint8Array(size);
}

/** What a buffer holds, as the host keeps the value's type. */
export function fromDevice(value: Value, numbers: HostArray): HostArray {
  return value.type === "i1" ? Uint8Array.from(numbers) : numbers;
}

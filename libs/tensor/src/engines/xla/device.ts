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

/** One device: values are computed there by programs that are compiled once for each text. */
export class Device {
  readonly counters: DeviceCounters = { compiled: 0, executed: 0, recorded: 0 };
  private readonly programs = new Map<string, PjrtProgram>();

  constructor(private readonly client: PjrtClient) {}

  /** Computes recorded values in one call; each is on the device afterwards. */
  compute(outputs: readonly Value[], isSpent: (input: Value) => boolean): void {
    const buffers = this.run(writeProgram(outputs, isSpent));
    outputs.forEach((value, i) => {
      value.origin = { kind: "device", buffer: buffers[i]! };
      value.replaces = undefined; // or the whole line of its predecessors would stay in memory
    });
  }

  /** Runs a program on what its inputs hold now; gives its outputs' buffers. */
  run({ text, deviceInputs, packed }: Omit<RecordedProgram, "outputs">): PjrtBuffer[] {
    const program = this.programOf(text);
    const args = deviceInputs.map(bufferOf);
    const vectors = (["f32", "i32"] as const)
      .filter((type) => packed[type].length > 0)
      .map((type) => {
        const array = packedArray(packed[type], type);
        return this.send(array, [array.length]);
      });
    const buffers = program.execute([...args, ...vectors]);
    this.counters.executed++;
    for (const vector of vectors) vector.free();
    return buffers;
  }

  /** Puts the host's numbers, or one number everywhere, on the device. */
  upload(value: Value): void {
    const { origin } = value;
    if (origin.kind !== "host" && origin.kind !== "splat") return;
    const array = origin.kind === "host" ? origin.array : arrayOf(value).fill(origin.value);
    value.origin = { kind: "device", buffer: this.send(array, value.shape) };
  }

  private send(array: HostArray, shape: readonly number[]): PjrtBuffer {
    if (array instanceof Float32Array) return this.client.upload(array, "f32", shape);
    const integers = array instanceof Int32Array ? array : Int32Array.from(array);
    return this.client.upload(integers, "s32", shape);
  }

  private programOf(text: string): PjrtProgram {
    const known = this.programs.get(text);
    this.programs.delete(text); // and behind the others again
    const program = known ?? this.client.compile(text);
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

function bufferOf({ id, origin }: Value): PjrtBuffer {
  if (origin.kind === "device") return origin.buffer;
  throw new Error(`value ${id} is not on the device`);
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

import type { XlaBackend } from "./backend.js";
import { writeProgram, type RecordedProgram } from "./program.js";
import type { HostArray, Value } from "./value.js";

/** What a program computes, and which values on the device each call replaces, in their memory. */
export interface Recording {
  readonly results: readonly Value[];
  readonly replaced: readonly { from: Value; to: Value }[];
}

/**
 * A program that is recorded once and run many times: on other numbers of the host, of the same sizes, and on
 * what the values on the device hold by then.
 */
export class Replay<Name extends string> {
  private readonly inputs: Readonly<Record<Name, Value>>;
  private readonly program: Omit<RecordedProgram, "outputs">;
  private readonly replaced: readonly Value[];

  /** @param record gets the inputs as vectors. */
  constructor(
    private readonly backend: XlaBackend,
    arrays: Readonly<Partial<Record<Name, Int32Array | Float32Array>>>,
    record: (inputs: Readonly<Record<Name, Value>>) => Recording,
  ) {
    const entries = Object.entries(arrays) as [Name, Int32Array | Float32Array][];
    const values = entries.map(([name, array]) => [name, backend.input(array, [array.length])]);
    this.inputs = Object.fromEntries(values) as Record<Name, Value>;
    const { results, replaced } = record(this.inputs);
    for (const { from, to } of replaced) to.replaces = from;
    this.replaced = replaced.map(({ from }) => from);
    const outputs = [...replaced.map(({ to }) => to), ...results];
    const { text, deviceInputs, packed, numDevices } = writeProgram(outputs, (input) =>
      this.replaced.includes(input),
    );
    this.program = { text, deviceInputs, packed, numDevices }; // without the values in between
    backend.device.counters.recorded++;
  }

  /** Something that it reads is no longer on the device: it must be recorded anew. */
  get isStale(): boolean {
    return this.program.deviceInputs.some(
      ({ origin }) => origin.kind !== "device" || origin.buffer.isDeleted,
    );
  }

  /** The results' numbers. */
  run(arrays: Readonly<Partial<Record<Name, Int32Array | Float32Array>>>): HostArray[] {
    for (const [name, array] of Object.entries(arrays) as [Name, HostArray][]) {
      this.inputs[name].origin = { kind: "host", array };
    }
    const buffers = this.backend.device.execute(this.program)[0]!;
    this.replaced.forEach((value, i) => {
      value.origin = { kind: "device", buffer: buffers[i]! };
    });
    return buffers.slice(this.replaced.length).map((buffer) => {
      const numbers = buffer.readSync() as HostArray;
      buffer.free();
      return numbers;
    });
  }
}

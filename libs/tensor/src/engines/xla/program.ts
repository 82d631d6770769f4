import { StagecraftError } from "@stagecraft/core";
import { inputsOf, turnOf } from "./loop.js";
import {
  sizeOf,
  typeOf,
  typeText,
  type ElementType,
  type HostArray,
  type Loop,
  type Value,
} from "./value.js";

/** A recorded program: its text, and the values behind its arguments and results. */
export interface RecordedProgram {
  readonly text: string;
  /** Arguments that are buffers of their own, in order; packed ones follow. */
  readonly deviceInputs: readonly Value[];
  /** Host numbers that go as one vector each. */
  readonly packed: Readonly<Record<"f32" | "i32", readonly Value[]>>;
  readonly outputs: readonly Value[];
  /** Devices that run it together, each on numbers of its own. */
  readonly numDevices: number;
}

/** Types of the buffers that values of these types are kept in. */
const storageOf = (type: ElementType): "f32" | "i32" => (type === "f32" ? "f32" : "i32");

/**
 * The program that computes `outputs`. Equal recordings give equal texts: names follow the order of
 * operations, never identities. Inputs that `isSpent` may be overwritten by an output of their shape.
 */
export function writeProgram(
  outputs: readonly Value[],
  isSpent: (input: Value) => boolean,
): RecordedProgram {
  const operations = reachable(outputs);
  const writer = new Writer();
  for (const value of operations) writer.assign(value);
  const results = outputs.map((value) => writer.stored(value));
  const numDevices = numDevicesOf(operations, outputs);
  return { ...writer.finish(results, { outputs, isSpent, numDevices }), outputs, numDevices };
}

/** Throws when a result would be another on each device. */
function numDevicesOf(operations: readonly Value[], outputs: readonly Value[]): number {
  const sumsOver = ({ origin }: Value) =>
    origin.kind === "operation" ? origin.sumsOver : undefined;
  const numDevices = Math.max(1, ...operations.flatMap((value) => sumsOver(value) ?? []));
  if (numDevices === 1) return 1;
  const differing = new Set<Value>();
  const differs = (value: Value) =>
    differing.has(value) || (value.origin.kind === "host" && value.origin.others !== undefined);
  for (const value of operations) {
    if (sumsOver(value) === undefined && inputsOf(value.origin).some(differs)) differing.add(value);
  }
  if (!outputs.some(differs)) return numDevices;
  throw new StagecraftError(
    "unimplemented",
    'engine "xla" on several devices keeps the sum over the parts of a batch, not what one part alone gives: train with devices 1',
  );
}

/** Operations that the outputs need, inputs first. */
function reachable(outputs: readonly Value[]): Value[] {
  const seen = new Set<Value>();
  const waiting = [...outputs];
  for (let value = waiting.pop(); value; value = waiting.pop()) {
    if (seen.has(value) || !(value.isRecorded || value.origin.kind === "loop")) continue;
    seen.add(value);
    waiting.push(...inputsOf(value.origin));
  }
  return [...seen].sort((a, b) => a.id - b.id);
}

/** Stands for the type of a packed vector until its size is known. */
const WHOLE = { f32: "tensor<all xf32>", i32: "tensor<all xi32>" } as const;

class Writer {
  /** What has a name where the writer is: in a loop's turn, what has one around it too. */
  private names = new Map<Value, string>();
  private constants = new Map<string, string>();
  private readonly deviceInputs: Value[] = [];
  private readonly packed = { f32: [] as Value[], i32: [] as Value[] };
  private readonly packedSize = { f32: 0, i32: 0 };
  private readonly lines: string[] = [];
  /** Lines that read a packed vector, whose size is known at the end. */
  private readonly slices: { at: number; type: "f32" | "i32" }[] = [];
  private numLines = 0;
  private numLoops = 0;

  assign(value: Value): void {
    const { origin } = value;
    if (origin.kind === "loop") this.names.set(value, this.loop(origin.loop));
    if (origin.kind === "part") {
      this.names.set(value, `${this.nameOf(origin.of)}#${origin.index}`);
    }
    if (origin.kind !== "operation") return;
    const names = origin.inputs.map((input) => this.nameOf(input));
    this.names.set(value, this.line(origin.write(names), origin.numResults));
  }

  /** The name of a value as a buffer holds it. */
  stored(value: Value): { name: string; type: string } {
    const name = this.nameOf(value);
    const type = typeText(value.shape, storageOf(value.type));
    if (value.type === storageOf(value.type)) return { name, type };
    return { name: this.line(`stablehlo.convert ${name} : (${typeOf(value)}) -> ${type}`), type };
  }

  finish(
    results: readonly { name: string; type: string }[],
    {
      outputs,
      isSpent,
      numDevices,
    }: { outputs: readonly Value[]; isSpent: (input: Value) => boolean; numDevices: number },
  ) {
    const { deviceInputs, packed, packedSize } = this;
    const aliases = aliasesOf(deviceInputs, outputs, isSpent);
    const args = deviceInputs.map((value, i) => {
      const alias = aliases.get(i);
      const mark = alias === undefined ? "" : ` {tf.aliasing_output = ${alias} : i32}`;
      return `%arg${i}: ${typeText(value.shape, storageOf(value.type))}${mark}`;
    });
    for (const type of ["f32", "i32"] as const) {
      if (packed[type].length > 0) args.push(`%${type}: tensor<${packedSize[type]}x${type}>`);
    }
    for (const { at, type } of this.slices) {
      const whole = `tensor<${packedSize[type]}x${type}>`;
      this.lines[at] = this.lines[at]!.replace(WHOLE[type], whole);
    }
    const types = results.map(({ type }) => type).join(", ");
    const names = results.map(({ name }) => name).join(", ");
    const text = [
      `module @stagecraft ${attributesFor(numDevices)}{`,
      `func.func public @main(${args.join(", ")}) -> (${types}) {`,
      ...this.lines,
      `return ${names} : ${types}`,
      "}",
      "}",
      "",
    ].join("\n");
    return { text, deviceInputs, packed };
  }

  private loop({ inits, carried, condition, next, free }: Loop): string {
    for (const value of free) this.nameOf(value); // or its line would be one of the turn's
    const starts = inits.map((value) => this.nameOf(value));
    const number = this.numLoops++;
    const types = inits.map(typeOf).join(", ");
    const names = carried.map((_, i) => `%turn${number}_${i}`);
    const heads = names.map((name, i) => `${name} = ${starts[i]}`).join(", ");
    const name = `%${this.numLines++}`;
    this.lines.push(`${name}:${carried.length} = stablehlo.while(${heads}) : ${types}`);
    const turn = (opening: string, roots: readonly Value[]) => {
      this.lines.push(opening);
      this.inScope(() => {
        carried.forEach((value, i) => this.names.set(value, names[i]!));
        for (const value of turnOf(roots, carried)) this.assign(value);
        const results = roots.map((value) => this.nameOf(value)).join(", ");
        this.lines.push(`stablehlo.return ${results} : ${roots.map(typeOf).join(", ")}`);
      });
    };
    turn("cond {", [condition]);
    turn("} do {", next);
    this.lines.push("}");
    return name;
  }

  /** Forgets the names that are given meanwhile. */
  private inScope(write: () => void): void {
    const { names, constants } = this;
    [this.names, this.constants] = [new Map(names), new Map(constants)];
    write();
    [this.names, this.constants] = [names, constants];
  }

  private line(text: string, numResults = 1): string {
    const name = `%${this.numLines++}`;
    this.lines.push(`${name}${numResults > 1 ? `:${numResults}` : ""} = ${text}`);
    return name;
  }

  private nameOf(value: Value): string {
    const known = this.names.get(value);
    if (known !== undefined) return known;
    const name = this.input(value);
    this.names.set(value, name);
    return name;
  }

  private input(value: Value): string {
    switch (value.origin.kind) {
      case "splat":
        return this.constant(value, value.origin.value);
      case "device":
        return this.loaded(value, `%arg${this.deviceInputs.push(value) - 1}`);
      case "host":
        return this.unpacked(value);
      default:
        throw new Error(`value ${value.id} is used before or after it is there`);
    }
  }

  private constant(value: Value, number: number): string {
    const text = `stablehlo.constant dense<${literal(number, value.type)}> : ${typeOf(value)}`;
    const name = this.constants.get(text) ?? this.line(text);
    this.constants.set(text, name);
    return name;
  }

  /** A buffer's content as the value's type. */
  private loaded(value: Value, name: string): string {
    const stored = typeText(value.shape, storageOf(value.type));
    if (stored === typeOf(value)) return name;
    return this.line(`stablehlo.convert ${name} : (${stored}) -> ${typeOf(value)}`);
  }

  private unpacked(value: Value): string {
    const type = storageOf(value.type);
    this.packed[type].push(value);
    const start = this.packedSize[type];
    const size = sizeOf(value.shape);
    this.packedSize[type] += size;
    const flat = `tensor<${size}x${type}>`;
    this.slices.push({ at: this.lines.length, type });
    const piece = this.line(
      `stablehlo.slice %${type} [${start}:${start + size}] : (${WHOLE[type]}) -> ${flat}`,
    );
    const shaped = typeText(value.shape, type);
    const name =
      shaped === flat ? piece : this.line(`stablehlo.reshape ${piece} : (${flat}) -> ${shaped}`);
    return this.loaded(value, name);
  }
}

const attributesFor = (numDevices: number) =>
  numDevices === 1
    ? ""
    : `attributes {mhlo.num_replicas = ${numDevices} : i32, mhlo.num_partitions = 1 : i32} `;

/** Input → output that may take its memory: the one that replaces it, else the first of its type. */
function aliasesOf(
  inputs: readonly Value[],
  outputs: readonly Value[],
  isSpent: (input: Value) => boolean,
): Map<number, number> {
  const aliases = new Map<number, number>();
  const taken = new Set<number>();
  const take = (input: number, output: number) => {
    if (output < 0) return;
    aliases.set(input, output);
    taken.add(output);
  };
  const key = (value: Value) => typeText(value.shape, storageOf(value.type));
  const spent = inputs.flatMap((value, i) => (isSpent(value) ? [i] : []));
  const heirs = new Map(outputs.map((output, i) => [output.replaces, i]));
  for (const i of spent) take(i, heirs.get(inputs[i]) ?? -1);
  for (const i of spent) {
    if (aliases.has(i)) continue;
    take(
      i,
      outputs.findIndex((output, o) => !taken.has(o) && key(output) === key(inputs[i]!)),
    );
  }
  return aliases;
}

const VIEW = new DataView(new ArrayBuffer(8));

/** A number as MLIR reads it back to the bit. */
function literal(number: number, type: ElementType): string {
  if (type === "i1") return number === 0 ? "false" : "true";
  if (type === "i32") return String(number);
  if (type === "f64") VIEW.setFloat64(0, number);
  else VIEW.setFloat32(0, number);
  const bits = type === "f64" ? VIEW.getBigUint64(0) : VIEW.getUint32(0);
  const digits = bits.toString(16).padStart(type === "f64" ? 16 : 8, "0");
  return `0x${digits.toUpperCase()}`;
}

/** The numbers of host values end to end, as their argument on a device wants them. */
export function packedArray(values: readonly Value[], type: "f32" | "i32", device = 0): HostArray {
  const size = values.reduce((sum, value) => sum + value.size, 0);
  const all = type === "f32" ? new Float32Array(size) : new Int32Array(size);
  let offset = 0;
  for (const { origin, size: count } of values) {
    if (origin.kind === "host") all.set(origin.others?.[device - 1] ?? origin.array, offset);
    offset += count;
  }
  return all;
}

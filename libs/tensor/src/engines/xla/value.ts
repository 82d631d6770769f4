import type { PjrtBuffer } from "@stagecraft/tensor-xla";

/** Element types within a program; buffers of a device are f32 and i32 alone. */
export type ElementType = "f32" | "i32" | "i1" | "bf16" | "f64";

export type HostArray = Float32Array | Int32Array | Uint8Array;

/** Where a value comes from. */
export type Origin =
  /** Recorded, not computed yet; `write` gives the right side of its assignment. */
  | Operation
  /** A loop, whose results are its parts. */
  | { kind: "loop"; loop: Loop }
  /** One of several results. */
  | { kind: "part"; of: Value; index: number }
  /** What a turn of a loop begins with. */
  | { kind: "carried" }
  /** One number everywhere: a constant of every program that reads it. */
  | { kind: "splat"; value: number }
  /** Numbers of the host that no program has read yet: an input. `others` are those of further devices. */
  | { kind: "host"; array: HostArray; others?: readonly HostArray[] }
  /** On the device, and the same on further ones where they have read it; booleans are kept as i32. */
  | { kind: "device"; buffer: PjrtBuffer; others?: readonly PjrtBuffer[] }
  /** Used up by a program without being kept. */
  | { kind: "gone" };

interface Operation {
  readonly kind: "operation";
  readonly inputs: readonly Value[];
  /** Where it has several, which are its parts; default 1. */
  readonly numResults?: number;
  /** Devices whose numbers it sums: its result is the same on each. */
  readonly sumsOver?: number;
  write(names: readonly string[]): string;
}

/** `stablehlo.while`: what is carried from turn to turn, and how a turn makes the next. */
export interface Loop {
  readonly inits: readonly Value[];
  /** What a turn begins with; they have no meaning outside. */
  readonly carried: readonly Value[];
  /** Whether there is another turn, an i1 scalar. */
  readonly condition: Value;
  readonly next: readonly Value[];
  /** What the turns read of the program around them. */
  readonly free: readonly Value[];
}

let numValues = 0;

/** A node of the recorded program. What it is stays; where it comes from changes when it is computed. */
export class Value {
  /** Rising: an operation's inputs have smaller ones. */
  readonly id = numValues++;
  /** Tensors that have it as their data. */
  holders = 0;
  /** The value whose memory this one should take when nobody needs the other any more. */
  replaces: Value | undefined;

  constructor(
    readonly shape: readonly number[],
    readonly type: ElementType,
    public origin: Origin,
  ) {}

  get size(): number {
    return sizeOf(this.shape);
  }

  /** As `typeText` writes it; asked for many times in a program. */
  get typeText(): string {
    return (this.text ??= typeText(this.shape, this.type));
  }

  private text: string | undefined;

  /** Recorded and not computed yet. */
  get isRecorded(): boolean {
    return this.origin.kind === "operation" || this.origin.kind === "part";
  }
}

export const sizeOf = (shape: readonly number[]): number => shape.reduce((a, b) => a * b, 1);

/** `tensor<2x3xf32>`. */
export const typeText = (shape: readonly number[], type: ElementType): string =>
  `tensor<${[...shape, type].join("x")}>`;

export const typeOf = (value: Value): string => value.typeText;

export const sameShape = (a: readonly number[], b: readonly number[]): boolean =>
  a.length === b.length && a.every((size, axis) => size === b[axis]);

export function operation(
  shape: readonly number[],
  type: ElementType,
  inputs: readonly Value[],
  write: (names: readonly string[]) => string,
): Value {
  return new Value(shape, type, { kind: "operation", inputs, write });
}

/** The first results, of these shapes and types, of an operation that has several. */
export function operationWithParts(
  parts: readonly { shape: readonly number[]; type: ElementType }[],
  { inputs, numResults }: { inputs: readonly Value[]; numResults: number },
  write: (names: readonly string[]) => string,
): Value[] {
  const whole = new Value([], "i1", { kind: "operation", inputs, numResults, write });
  return parts.map(({ shape, type }, index) => {
    return new Value(shape, type, { kind: "part", of: whole, index });
  });
}

/** The sum, on each of so many devices, of what all of them have. */
export function sumOverDevices(x: Value, numDevices: number): Value {
  const write = ([a]: readonly string[]) => allReduce(a!, x, numDevices);
  return new Value(x.shape, x.type, {
    kind: "operation",
    inputs: [x],
    sumsOver: numDevices,
    write,
  });
}

function allReduce(name: string, x: Value, numDevices: number): string {
  const group = Array.from({ length: numDevices }, (_, i) => i).join(", ");
  const groups = `replica_groups = dense<[[${group}]]> : tensor<1x${numDevices}xi64>`;
  const scalar = typeText([], x.type);
  const body = `^bb0(%l: ${scalar}, %r: ${scalar}): %s = stablehlo.add %l, %r : ${scalar} stablehlo.return %s : ${scalar}`;
  return `"stablehlo.all_reduce"(${name}) <{${groups}}> ({ ${body} }) : (${typeOf(x)}) -> ${typeOf(x)}`;
}

export const splat = (shape: readonly number[], type: ElementType, value: number): Value =>
  new Value(shape, type, { kind: "splat", value });

/** The number of a scalar that the host knows now, else undefined. */
export function knownScalar({ shape, origin }: Value): number | undefined {
  if (sizeOf(shape) !== 1) return undefined;
  if (origin.kind === "splat") return origin.value;
  return origin.kind === "host" ? origin.array[0] : undefined;
}

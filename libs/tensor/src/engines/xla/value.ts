import type { PjrtBuffer } from "@stagecraft/tensor-xla";

/** Element types within a program; buffers of a device are f32 and i32 alone. */
export type ElementType = "f32" | "i32" | "i1" | "bf16" | "f64";

export type HostArray = Float32Array | Int32Array | Uint8Array;

/** Where a value comes from. */
export type Origin =
  /** Recorded, not computed yet; `write` gives the right side of its assignment. */
  | { kind: "operation"; inputs: readonly Value[]; write(names: readonly string[]): string }
  /** A loop, whose results are its parts. */
  | { kind: "loop"; loop: Loop }
  | { kind: "part"; of: Value; index: number }
  /** What a turn of a loop begins with. */
  | { kind: "carried" }
  /** One number everywhere: a constant of every program that reads it. */
  | { kind: "splat"; value: number }
  /** Numbers of the host that no program has read yet: an input. */
  | { kind: "host"; array: HostArray }
  /** On the device; booleans are kept as i32. */
  | { kind: "device"; buffer: PjrtBuffer }
  /** Used up by a program without being kept. */
  | { kind: "gone" };

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

export const splat = (shape: readonly number[], type: ElementType, value: number): Value =>
  new Value(shape, type, { kind: "splat", value });

/** The number of a scalar that the host knows now, else undefined. */
export function knownScalar({ shape, origin }: Value): number | undefined {
  if (sizeOf(shape) !== 1) return undefined;
  if (origin.kind === "splat") return origin.value;
  return origin.kind === "host" ? origin.array[0] : undefined;
}

import { f32, type TensorEntry, type TensorMap } from "@stagecraft/checkpoint";
import { StagecraftError } from "@stagecraft/core";

/** Two factors of a difference, B·A. */
interface Factors {
  /** Rows of A, each [in]. */
  readonly a: readonly Float64Array[];
  /** Columns of B, each [out]. */
  readonly b: readonly Float64Array[];
}

export interface ExtractedAdapter {
  /** `base_model.model.PATH.lora_A.weight` and B, as PEFT names them. */
  readonly tensors: TensorMap;
  readonly rank: number;
  /** Paths of the maps that it changes. */
  readonly modules: readonly string[];
}

/** Rounding of W + B·A to float32, and of what is taken off: in units of the largest weight. */
const ROUNDING = 2 ** -22;

/**
 * The adapter that makes one model of another, by what differs between their weights: exact to the rounding of
 * float32, or refused with `failed_precondition` naming the weights that an adapter does not hold. `isMap` says
 * which weights may have one; `transposed` that they are [in, out].
 */
export function extractAdapter(
  base: TensorMap,
  tuned: TensorMap,
  {
    isMap,
    maxRank,
    transposed,
  }: { isMap(name: string): boolean; maxRank: number; transposed: boolean },
): ExtractedAdapter {
  const changed = [...tuned].filter(([name, entry]) => differs(name, entry, base.get(name)));
  const gone = [...base.keys()].filter((name) => !tuned.has(name));
  refuse("an adapter of linear maps cannot hold what changed", [
    ...changed.map(([name]) => name).filter((name) => !isMap(name)),
    ...gone,
  ]);
  const found = changed.map(([name, entry]) => {
    const difference = differenceOf(base.get(name)!, entry, transposed);
    return {
      path: name.slice(0, -".weight".length),
      ...difference,
      ...factorize(difference, maxRank),
    };
  });
  const tooMany = found.filter(({ isExact }) => !isExact).map(({ path }) => path);
  refuse(
    `the change is of a rank above ${maxRank} (full training, or weights that were rounded for their file: write them as f32)`,
    tooMany,
  );
  const rank = Math.max(0, ...found.map(({ a }) => a.length));
  if (rank === 0) {
    throw new StagecraftError("failed_precondition", "the two models have the same weights");
  }
  const tensors = new Map<string, TensorEntry>();
  for (const { path, a, b, height, width } of found) {
    const key = (factor: string) => `base_model.model.${path}.lora_${factor}.weight`;
    tensors.set(key("A"), f32([rank, width], rowsOf(a, rank, width)));
    tensors.set(key("B"), f32([height, rank], columnsOf(b, rank, height)));
  }
  return { tensors, rank, modules: found.map(({ path }) => path) };
}

function refuse(problem: string, names: readonly string[]): void {
  if (names.length === 0) return;
  const more = names.length > 3 ? ` and ${names.length - 3} more` : "";
  throw new StagecraftError(
    "failed_precondition",
    `${problem}: ${names.slice(0, 3).join(", ")}${more}`,
    { details: { names: [...names] } },
  );
}

function differs(name: string, entry: TensorEntry, before: TensorEntry | undefined): boolean {
  if (before && before.shape.join() === entry.shape.join()) {
    return entry.data.some((value, i) => value !== before.data[i]);
  }
  throw new StagecraftError(
    "failed_precondition",
    `${name} is [${entry.shape.join(", ")}] in the model and ${before ? `[${before.shape.join(", ")}]` : "missing"} in its base: they are not of one make`,
  );
}

/** [out, in], and how much of it is rounding. */
interface Difference {
  readonly height: number;
  readonly width: number;
  readonly values: Float64Array;
  readonly noise: number;
}

function differenceOf(base: TensorEntry, tuned: TensorEntry, transposed: boolean): Difference {
  const [rows, columns] = base.shape as [number, number];
  const [height, width] = transposed ? [columns, rows] : [rows, columns];
  const values = new Float64Array(rows * columns);
  let largest = 0;
  for (let i = 0; i < values.length; i++) {
    const [before, after] = [base.data[i] as number, tuned.data[i] as number];
    largest = Math.max(largest, Math.abs(before), Math.abs(after));
    const at = transposed ? (i % columns) * rows + Math.floor(i / columns) : i;
    values[at] = after - before;
  }
  return { height, width, values, noise: largest * ROUNDING };
}

/**
 * Takes the largest row off all rows, again and again (Gram-Schmidt with pivots), until only rounding is
 * left: as many steps as the difference has ranks.
 */
function factorize(
  { height, width, values, noise }: Difference,
  maxRank: number,
): Factors & { isExact: boolean } {
  const [a, b]: [Float64Array[], Float64Array[]] = [[], []];
  while (values.some((value) => Math.abs(value) > noise)) {
    if (a.length === maxRank) return { a, b, isExact: false };
    const row = unitRow(values, height, width);
    const column = new Float64Array(height);
    for (let o = 0; o < height; o++) {
      for (let i = 0; i < width; i++) column[o]! += values[o * width + i]! * row[i]!;
      for (let i = 0; i < width; i++) values[o * width + i]! -= column[o]! * row[i]!;
    }
    a.push(row);
    b.push(column);
  }
  return { a, b, isExact: true };
}

/** The longest row, of length 1. */
function unitRow(values: Float64Array, height: number, width: number): Float64Array {
  let [longest, most] = [0, -1];
  for (let o = 0; o < height; o++) {
    let square = 0;
    for (let i = 0; i < width; i++) square += values[o * width + i]! ** 2;
    if (square > most) [longest, most] = [o, square];
  }
  const row = values.slice(longest * width, (longest + 1) * width);
  return row.map((value) => value / Math.sqrt(most));
}

/** A whose rows beyond the factors are 0. */
function rowsOf(a: readonly Float64Array[], rank: number, width: number): Float32Array {
  const values = new Float32Array(rank * width);
  a.forEach((row, r) => values.set(row, r * width));
  return values;
}

function columnsOf(b: readonly Float64Array[], rank: number, height: number): Float32Array {
  const values = new Float32Array(height * rank);
  b.forEach((column, r) => column.forEach((value, o) => (values[o * rank + r] = value)));
  return values;
}

/** Weights that transformers keeps in another form than we do. */
import { f32, type TensorEntry, type TensorMap } from "@stagecraft/checkpoint";
import type { ModelConfig } from "../config.js";

/** Both ways between transformers' tensors and ours; `fromHf` takes the arrays over, and puts them in order in place. */
export interface Conversion {
  toHf(config: ModelConfig, tensors: TensorMap): TensorMap;
  fromHf(config: ModelConfig, tensors: TensorMap): TensorMap;
}

/** One tensor of transformers that holds the rows of several of ours. */
export interface FusedRows {
  /** Its name without `.weight` or `.bias`, and those of the parts. */
  readonly fused: string;
  readonly parts: readonly string[];
  /** Rows of each part in one of `groups` pieces, which follow each other. */
  readonly rows: readonly number[];
  /** Default 1: the parts lie one after the other. */
  readonly groups?: number;
}

/** Splits and joins rows of weights and biases; what is missing or misshapen stays for the strict check. */
export function fusedRows(list: (config: ModelConfig) => FusedRows[]): Conversion {
  return {
    toHf(config, tensors) {
      const converted = new Map(tensors);
      for (const fused of list(config)) for (const kind of KINDS) join(converted, fused, kind);
      return converted;
    },
    fromHf(config, tensors) {
      const converted = new Map(tensors);
      const copy = createScratch();
      for (const fused of list(config)) {
        for (const kind of KINDS) split(converted, { ...fused, kind, copy });
      }
      return converted;
    },
  };
}

const KINDS = ["weight", "bias"] as const;

/** A copy of values that lasts until the next one: one buffer for all tensors of a model. */
export type Scratch = (values: Float32Array) => Float32Array;

export function createScratch(): Scratch {
  let buffer = new Float32Array(0);
  return (values) => {
    if (buffer.length < values.length) buffer = new Float32Array(values.length);
    const copy = buffer.subarray(0, values.length);
    copy.set(values);
    return copy;
  };
}

const sum = (values: readonly number[]) => values.reduce((total, value) => total + value, 0);

function join(
  tensors: Map<string, TensorEntry>,
  { fused, parts, rows, groups = 1 }: FusedRows,
  kind: string,
) {
  const entries = parts.map((part) => tensors.get(`${part}.${kind}`));
  if (!entries.every((entry) => entry !== undefined)) return;
  const [, ...rest] = entries[0]!.shape;
  const width = rest[0] ?? 1;
  const total = sum(rows);
  const joined = new Float32Array(groups * total * width);
  eachPiece(rows, groups, (part, from, to, count) => {
    const piece = (entries[part]!.data as Float32Array).subarray(
      from * width,
      (from + count) * width,
    );
    joined.set(piece, to * width);
  });
  for (const part of parts) tensors.delete(`${part}.${kind}`);
  tensors.set(`${fused}.${kind}`, f32([groups * total, ...rest], joined));
}

/** Puts the rows of each part next to each other, in their place, and names them. */
function split(
  tensors: Map<string, TensorEntry>,
  { fused, parts, rows, groups = 1, kind, copy }: FusedRows & { kind: string; copy: Scratch },
) {
  const entry = tensors.get(`${fused}.${kind}`);
  if (!(entry?.data instanceof Float32Array) || entry.shape[0] !== groups * sum(rows)) return;
  const { data, shape } = entry;
  const rest = shape.slice(1);
  const width = rest[0] ?? 1;
  const starts = rows.map((_, part) => groups * sum(rows.slice(0, part)));
  if (groups > 1) {
    const before = copy(data);
    eachPiece(rows, groups, (part, own, from, count) => {
      const piece = before.subarray(from * width, (from + count) * width);
      data.set(piece, (starts[part]! + own) * width);
    });
  }
  tensors.delete(`${fused}.${kind}`);
  parts.forEach((part, i) => {
    const [start, count] = [starts[i]!, groups * rows[i]!];
    const own = data.subarray(start * width, (start + count) * width);
    tensors.set(`${part}.${kind}`, f32([count, ...rest], own));
  });
}

/** Which rows of a part are which rows of the fused tensor. */
function eachPiece(
  rows: readonly number[],
  groups: number,
  body: (part: number, own: number, fused: number, count: number) => void,
): void {
  let fused = 0;
  for (let group = 0; group < groups; group++) {
    rows.forEach((count, part) => {
      body(part, group * count, fused, count);
      fused += count;
    });
  }
}

/** Norms that transformers keeps as w of 1 + w. */
export function shiftedNorms(isNorm: (name: string) => boolean): Conversion {
  const shift = (tensors: TensorMap, by: number) =>
    new Map(
      [...tensors].map(([name, entry]): [string, TensorEntry] => {
        if (!isNorm(name) || !(entry.data instanceof Float32Array)) return [name, entry];
        return [name, { ...entry, data: entry.data.map((value) => value + by) }];
      }),
    );
  return {
    toHf: (_config, tensors) => shift(tensors, -1),
    fromHf: (_config, tensors) => shift(tensors, 1),
  };
}

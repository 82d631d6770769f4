/** Keys and values of one sequence: for every layer and head a growing [length, headSize] block. */
export interface KvCache {
  readonly length: number;
  /** Writes tokens of one layer after the current length, layer 0 first; rows are [numKvHeads · d]. */
  write(layer: number, rows: KvRows): void;
  /** Makes the written tokens part of the sequence, once every layer has written them. */
  advance(count: number): void;
  /**
   * Copies the first `count` tokens of every head into `into`, laid out [numKvHeads, stride, d]
   * from `offset` on.
   */
  read(layer: number, which: "keys" | "values", target: KvTarget): void;
  /** Becomes a copy of the first `length` tokens of another cache of the same shape. */
  copyFrom(other: KvCache, length: number): void;
  /** Keeps the first `length` tokens; the memory stays. */
  truncate(length: number): void;
}

export interface KvRows {
  readonly keys: Float32Array;
  readonly values: Float32Array;
  /** First row in both arrays, and how many. */
  readonly first: number;
  readonly count: number;
}

export interface KvTarget {
  readonly into: Float32Array;
  readonly offset: number;
  readonly count: number;
  readonly stride: number;
}

export interface KvShape {
  readonly numLayers: number;
  readonly numKvHeads: number;
  readonly headSize: number;
  readonly maxLength: number;
}

/** An empty cache; its memory doubles as the sequence grows and is kept when it is cut. */
export function createKvCache(shape: KvShape): KvCache {
  return new GrowingCache(shape);
}

const FIRST_CAPACITY = 32;

class GrowingCache implements KvCache {
  length = 0;
  private capacity = 0;
  private layers: { keys: Float32Array; values: Float32Array }[] = [];

  constructor(private readonly shape: KvShape) {}

  write(layer: number, { keys, values, first, count }: KvRows): void {
    this.reserve(this.length + count);
    const store = this.layers[layer]!;
    this.scatter(keys, store.keys, { first, count });
    this.scatter(values, store.values, { first, count });
  }

  advance(count: number): void {
    this.length += count;
  }

  read(layer: number, which: "keys" | "values", { into, offset, count, stride }: KvTarget): void {
    const { numKvHeads, headSize } = this.shape;
    const store = this.layers[layer]![which];
    for (let head = 0; head < numKvHeads; head++) {
      const from = head * this.capacity * headSize;
      const block = store.subarray(from, from + count * headSize);
      into.set(block, offset + head * stride * headSize);
    }
  }

  copyFrom(other: KvCache, length: number): void {
    this.length = 0;
    this.reserve(length);
    this.layers.forEach((store, layer) => {
      for (const which of ["keys", "values"] as const) {
        const target = { into: store[which], offset: 0, count: length, stride: this.capacity };
        other.read(layer, which, target);
      }
    });
    this.length = length;
  }

  truncate(length: number): void {
    this.length = length;
  }

  private scatter(
    rows: Float32Array,
    store: Float32Array,
    { first, count }: { first: number; count: number },
  ): void {
    const { numKvHeads, headSize } = this.shape;
    for (let i = 0; i < count; i++) {
      for (let head = 0; head < numKvHeads; head++) {
        const from = ((first + i) * numKvHeads + head) * headSize;
        const to = (head * this.capacity + this.length + i) * headSize;
        store.set(rows.subarray(from, from + headSize), to);
      }
    }
  }

  private reserve(length: number): void {
    if (length <= this.capacity) return;
    const { numLayers, numKvHeads, headSize, maxLength } = this.shape;
    const capacity = Math.min(maxLength, Math.max(FIRST_CAPACITY, this.capacity * 2, length));
    // Layer 0 writes first, so nothing beyond `length` has been written when memory grows.
    const copied = { offset: 0, count: this.length, stride: capacity };
    const grown = Array.from({ length: numLayers }, (_, layer) => {
      const fresh = () => new Float32Array(numKvHeads * capacity * headSize);
      const next = { keys: fresh(), values: fresh() };
      if (this.length > 0) {
        this.read(layer, "keys", { into: next.keys, ...copied });
        this.read(layer, "values", { into: next.values, ...copied });
      }
      return next;
    });
    this.layers = grown;
    this.capacity = capacity;
  }
}

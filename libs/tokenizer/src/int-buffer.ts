/** A growing list of 32-bit integers, for token ids. */
export class IntBuffer {
  private items: Int32Array;
  private count = 0;

  constructor(capacity = 256) {
    this.items = new Int32Array(capacity);
  }

  get length(): number {
    return this.count;
  }

  push(value: number): void {
    if (this.count === this.items.length) this.reserve(1);
    this.items[this.count++] = value;
  }

  /** Appends `source[start … end)`. */
  pushRange(source: Int32Array, start: number, end: number): void {
    this.reserve(end - start);
    for (let i = start; i < end; i++) this.items[this.count++] = source[i]!;
  }

  at(index: number): number {
    return this.items[index]!;
  }

  clear(): void {
    this.count = 0;
  }

  /** The backing store, longer than `length`; invalid after the next push. */
  get raw(): Int32Array {
    return this.items;
  }

  /** A copy of exactly `length` items. */
  toArray(): Int32Array {
    return this.items.slice(0, this.count);
  }

  private reserve(extra: number): void {
    const needed = this.count + extra;
    if (needed <= this.items.length) return;
    const grown = new Int32Array(Math.max(needed, this.items.length * 2));
    grown.set(this.items.subarray(0, this.count));
    this.items = grown;
  }
}

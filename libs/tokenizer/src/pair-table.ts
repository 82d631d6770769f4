import { randomInt } from "node:crypto";

/** Drawn anew in each process: a file cannot be made so that all its pairs meet in one place. */
const [LEFT_FACTOR, RIGHT_FACTOR] = [randomInt(2 ** 31) * 2 + 1, randomInt(2 ** 31) * 2 + 1];

/**
 * Numbers the distinct pairs (left, right) of token ids from 0 upwards: an open-addressing hash on
 * typed arrays, several times faster and smaller than a Map with composed keys.
 */
export class PairTable {
  private lefts: Int32Array;
  private rights: Int32Array;
  private slots: Int32Array;
  private count = 0;

  /** @param capacity pairs that it takes before it grows */
  constructor(capacity = 1024) {
    const size = 2 ** Math.ceil(Math.log2(Math.max(16, capacity)));
    this.lefts = new Int32Array(size);
    this.rights = new Int32Array(size);
    this.slots = new Int32Array(size * 2).fill(-1);
  }

  /** Number of distinct pairs seen. */
  get size(): number {
    return this.count;
  }

  left(index: number): number {
    return this.lefts[index]!;
  }

  right(index: number): number {
    return this.rights[index]!;
  }

  /** The number of the pair, or −1. */
  find(left: number, right: number): number {
    return this.slots[this.slotOf(left, right)]!;
  }

  /** The number of the pair, which is new when it equals the size before the call. */
  intern(left: number, right: number): number {
    const slot = this.slotOf(left, right);
    const found = this.slots[slot]!;
    if (found >= 0) return found;
    if (this.count === this.lefts.length) {
      this.grow();
      return this.intern(left, right);
    }
    this.lefts[this.count] = left;
    this.rights[this.count] = right;
    this.slots[slot] = this.count;
    return this.count++;
  }

  private slotOf(left: number, right: number): number {
    const mask = this.slots.length - 1;
    let hash = Math.imul(left, LEFT_FACTOR) ^ Math.imul(right, RIGHT_FACTOR);
    hash = Math.imul(hash ^ (hash >>> 15), 0x2c1b3c6d);
    let slot = (hash ^ (hash >>> 13)) & mask;
    for (;;) {
      const index = this.slots[slot]!;
      if (index < 0 || (this.lefts[index] === left && this.rights[index] === right)) return slot;
      slot = (slot + 1) & mask;
    }
  }

  private grow(): void {
    this.lefts = doubled(this.lefts);
    this.rights = doubled(this.rights);
    this.slots = new Int32Array(this.slots.length * 2).fill(-1);
    for (let i = 0; i < this.count; i++) {
      this.slots[this.slotOf(this.lefts[i]!, this.rights[i]!)] = i;
    }
  }
}

function doubled(array: Int32Array): Int32Array<ArrayBuffer> {
  const grown = new Int32Array(array.length * 2);
  grown.set(array);
  return grown;
}

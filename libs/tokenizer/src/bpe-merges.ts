import type { PairTable } from "./pair-table.js";

/** Merge rules by rank: pair number = rank, so the table is filled in the order of the rules. */
export interface MergeRules {
  pairs: PairTable;
  /** Id that replaces the pair of this rank. */
  results: Int32Array;
}

/** From here on a heap beats scanning all pairs for the best one. */
const SCAN_LIMIT = 64;

/**
 * Applies the rules to a sequence of ids in place, always the rule of the lowest rank first and its
 * leftmost match first, and returns the new length. O(n²) for short sequences, O(n log n) above.
 */
export function applyMerges(ids: Int32Array, length: number, rules: MergeRules): number {
  return length <= SCAN_LIMIT ? mergeByScan(ids, length, rules) : mergeByHeap(ids, length, rules);
}

const scanRanks = new Int32Array(SCAN_LIMIT);
const NO_RANK = 0x7fffffff;

function mergeByScan(ids: Int32Array, length: number, rules: MergeRules): number {
  const ranks = scanRanks;
  const rankAt = (i: number) => {
    const rank = rules.pairs.find(ids[i]!, ids[i + 1]!);
    return rank < 0 ? NO_RANK : rank;
  };
  for (let i = 0; i + 1 < length; i++) ranks[i] = rankAt(i);
  for (;;) {
    let best = NO_RANK;
    let at = -1;
    for (let i = 0; i + 1 < length; i++) {
      if (ranks[i]! < best) {
        best = ranks[i]!;
        at = i;
      }
    }
    if (at < 0) return length;
    ids[at] = rules.results[best]!;
    ids.copyWithin(at + 1, at + 2, length);
    ranks.copyWithin(at + 1, at + 2, length - 1);
    length--;
    if (at > 0) ranks[at - 1] = rankAt(at - 1);
    if (at + 1 < length) ranks[at] = rankAt(at);
  }
}

/** Key of a heap entry: rank first, then position; exact in a double below 2^53. */
const POSITIONS = 2 ** 31;

function mergeByHeap(ids: Int32Array, length: number, rules: MergeRules): number {
  const next = Int32Array.from({ length }, (_, i) => (i + 1 < length ? i + 1 : -1));
  const previous = Int32Array.from({ length }, (_, i) => i - 1);
  const ranks = new Int32Array(length).fill(-1);
  const heap = new MinHeap(length);
  const offer = (at: number) => {
    const right = next[at]!;
    const rank = right < 0 ? -1 : rules.pairs.find(ids[at]!, ids[right]!);
    ranks[at] = rank;
    if (rank >= 0) heap.push(rank * POSITIONS + at);
  };
  for (let i = 0; i < length; i++) offer(i);
  for (let key = heap.pop(); key >= 0; key = heap.pop()) {
    const at = key % POSITIONS;
    const rank = (key - at) / POSITIONS;
    if (ranks[at] !== rank) continue; // the pair changed after it was offered
    const right = next[at]!;
    ids[at] = rules.results[rank]!;
    ranks[right] = -1;
    next[at] = next[right]!;
    if (next[at] >= 0) previous[next[at]] = at;
    offer(at);
    if (previous[at]! >= 0) offer(previous[at]!);
  }
  let end = 0;
  for (let at = 0; at >= 0; at = next[at]!) ids[end++] = ids[at]!;
  return end;
}

class MinHeap {
  private keys: Float64Array;
  private count = 0;

  constructor(capacity: number) {
    this.keys = new Float64Array(Math.max(16, capacity));
  }

  push(key: number): void {
    if (this.count === this.keys.length) {
      const grown = new Float64Array(this.count * 2);
      grown.set(this.keys);
      this.keys = grown;
    }
    let at = this.count++;
    for (let parent = (at - 1) >> 1; at > 0 && this.keys[parent]! > key; parent = (at - 1) >> 1) {
      this.keys[at] = this.keys[parent]!;
      at = parent;
    }
    this.keys[at] = key;
  }

  /** The smallest key, or −1 when empty. */
  pop(): number {
    if (this.count === 0) return -1;
    const top = this.keys[0]!;
    const key = this.keys[--this.count]!;
    let at = 0;
    for (let child = 1; child < this.count; child = 2 * at + 1) {
      if (child + 1 < this.count && this.keys[child + 1]! < this.keys[child]!) child++;
      if (this.keys[child]! >= key) break;
      this.keys[at] = this.keys[child]!;
      at = child;
    }
    this.keys[at] = key;
    return top;
  }
}

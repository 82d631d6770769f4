/**
 * A max-heap of pairs by (count, then the smaller pair of ids first). Counts are those at the time
 * of the push: whoever pops compares with the present count and pushes again when it is stale.
 */
export class PairQueue {
  private counts = new Float64Array(1024);
  private pairs = new Int32Array(1024);
  private size = 0;

  /** `comparePairs(a, b) < 0` when pair a goes first among equals. */
  constructor(private readonly comparePairs: (a: number, b: number) => number) {}

  push(pair: number, count: number): void {
    if (this.size === this.counts.length) this.grow();
    let at = this.size++;
    while (at > 0) {
      const parent = (at - 1) >> 1;
      if (!this.before(count, pair, this.counts[parent]!, this.pairs[parent]!)) break;
      this.counts[at] = this.counts[parent]!;
      this.pairs[at] = this.pairs[parent]!;
      at = parent;
    }
    this.counts[at] = count;
    this.pairs[at] = pair;
  }

  pop(): { pair: number; count: number } | undefined {
    if (this.size === 0) return undefined;
    const top = { pair: this.pairs[0]!, count: this.counts[0]! };
    const pair = this.pairs[--this.size]!;
    const count = this.counts[this.size]!;
    let at = 0;
    for (let child = 1; child < this.size; child = 2 * at + 1) {
      if (child + 1 < this.size && this.entryBefore(child + 1, child)) child++;
      if (!this.before(this.counts[child]!, this.pairs[child]!, count, pair)) break;
      this.counts[at] = this.counts[child]!;
      this.pairs[at] = this.pairs[child]!;
      at = child;
    }
    this.counts[at] = count;
    this.pairs[at] = pair;
    return top;
  }

  private entryBefore(a: number, b: number): boolean {
    return this.before(this.counts[a]!, this.pairs[a]!, this.counts[b]!, this.pairs[b]!);
  }

  private before(countA: number, pairA: number, countB: number, pairB: number): boolean {
    return countA === countB ? this.comparePairs(pairA, pairB) < 0 : countA > countB;
  }

  private grow(): void {
    const counts = new Float64Array(this.size * 2);
    counts.set(this.counts);
    this.counts = counts;
    const pairs = new Int32Array(this.size * 2);
    pairs.set(this.pairs);
    this.pairs = pairs;
  }
}

import { IntBuffer } from "./int-buffer.js";
import { PairQueue } from "./pair-queue.js";
import { PairTable } from "./pair-table.js";

export interface BestPair {
  left: number;
  right: number;
  /** Number of the pair, to be handed to `merge`. */
  pair: number;
  count: number;
}

/**
 * The words of a corpus as sequences of ids, with the count of every adjacent pair kept up to date
 * while pairs are merged. A merge visits only the words that contain the pair, so that training
 * costs about the number of merged places, not vocabulary × corpus.
 */
export class MergeState {
  private readonly symbols: Int32Array;
  private readonly starts: Int32Array;
  private readonly lengths: Int32Array;
  private readonly frequencies: Float64Array;
  private readonly pairs = new PairTable();
  private counts = new Float64Array(1 << 12);
  private readonly occurrences = new OccurrenceLists();
  private readonly queue: PairQueue;
  private readonly touched = new Set<number>();

  /** @param words ids of each word, and how often it occurs */
  constructor(
    words: Iterable<{ ids: ArrayLike<number>; count: number }>,
    private readonly minFrequency: number,
  ) {
    const symbols = new IntBuffer(1 << 16);
    const starts = new IntBuffer(1 << 12);
    const lengths = new IntBuffer(1 << 12);
    const frequencies: number[] = [];
    for (const { ids, count } of words) {
      starts.push(symbols.length);
      lengths.push(ids.length);
      frequencies.push(count);
      for (let i = 0; i < ids.length; i++) symbols.push(ids[i]!);
    }
    this.symbols = symbols.toArray();
    this.starts = starts.toArray();
    this.lengths = lengths.toArray();
    this.frequencies = Float64Array.from(frequencies);
    this.queue = new PairQueue(
      (a, b) =>
        this.pairs.left(a) - this.pairs.left(b) || this.pairs.right(a) - this.pairs.right(b),
    );
    this.countAll();
  }

  /** Takes the most frequent pair out of the queue; of equals the one with the smaller ids. */
  popBest(): BestPair | undefined {
    for (;;) {
      const top = this.queue.pop();
      if (top === undefined) return undefined;
      const count = this.counts[top.pair]!;
      if (count === top.count) {
        const { pair } = top;
        return { pair, count, left: this.pairs.left(pair), right: this.pairs.right(pair) };
      }
      this.offer(top.pair);
    }
  }

  /** Replaces the pair by the id in every word. */
  merge(best: BestPair, id: number): void {
    for (const word of this.occurrences.take(best.pair)) this.mergeInWord(word, best, id);
    this.counts[best.pair] = 0;
    for (const pair of this.touched) this.offer(pair);
    this.touched.clear();
  }

  private countAll(): void {
    for (let word = 0; word < this.starts.length; word++) {
      const start = this.starts[word]!;
      const end = start + this.lengths[word]!;
      for (let i = start; i + 1 < end; i++) {
        this.gain(this.symbols[i]!, this.symbols[i + 1]!, word);
      }
    }
    this.touched.clear();
    for (let pair = 0; pair < this.pairs.size; pair++) this.offer(pair);
  }

  private mergeInWord(word: number, { left, right }: BestPair, id: number): void {
    const { symbols } = this;
    const start = this.starts[word]!;
    const end = start + this.lengths[word]!;
    let write = start;
    for (let read = start; read < end; read++) {
      if (symbols[read] !== left || read + 1 >= end || symbols[read + 1] !== right) {
        symbols[write++] = symbols[read]!;
        continue;
      }
      if (write > start) {
        this.lose(symbols[write - 1]!, left, word);
        this.gain(symbols[write - 1]!, id, word);
      }
      read++;
      if (read + 1 < end) {
        this.lose(right, symbols[read + 1]!, word);
        this.gain(id, symbols[read + 1]!, word);
      }
      symbols[write++] = id;
    }
    this.lengths[word] = write - start;
  }

  private gain(left: number, right: number, word: number): void {
    const pair = this.pairs.intern(left, right);
    if (pair >= this.counts.length) {
      const grown = new Float64Array(this.counts.length * 2);
      grown.set(this.counts);
      this.counts = grown;
    }
    this.counts[pair]! += this.frequencies[word]!;
    this.occurrences.add(pair, word);
    this.touched.add(pair);
  }

  private lose(left: number, right: number, word: number): void {
    const pair = this.pairs.find(left, right);
    if (pair >= 0) this.counts[pair]! -= this.frequencies[word]!;
  }

  private offer(pair: number): void {
    const count = this.counts[pair]!;
    if (count >= this.minFrequency && count > 0) this.queue.push(pair, count);
  }
}

/** For every pair the words it was ever seen in: linked lists in one pool, with reuse. */
class OccurrenceLists {
  private heads = new Int32Array(1 << 12).fill(-1);
  private words = new Int32Array(1 << 14);
  private nexts = new Int32Array(1 << 14);
  private used = 0;
  private free = -1;

  /** Notes the word, once when it is added twice in a row. */
  add(pair: number, word: number): void {
    if (pair >= this.heads.length) {
      const before = this.heads.length;
      this.heads = doubled(this.heads);
      this.heads.fill(-1, before);
    }
    const head = this.heads[pair]!;
    if (head >= 0 && this.words[head] === word) return;
    const node = this.allocate();
    this.words[node] = word;
    this.nexts[node] = head;
    this.heads[pair] = node;
  }

  /** The words of the pair; its list is empty afterwards. */
  take(pair: number): number[] {
    const words: number[] = [];
    for (let node = this.heads[pair]!; node >= 0;) {
      words.push(this.words[node]!);
      const next = this.nexts[node]!;
      this.nexts[node] = this.free;
      this.free = node;
      node = next;
    }
    this.heads[pair] = -1;
    return words;
  }

  private allocate(): number {
    if (this.free >= 0) {
      const node = this.free;
      this.free = this.nexts[node]!;
      return node;
    }
    if (this.used === this.words.length) {
      this.words = doubled(this.words);
      this.nexts = doubled(this.nexts);
    }
    return this.used++;
  }
}

function doubled(array: Int32Array): Int32Array<ArrayBuffer> {
  const grown = new Int32Array(array.length * 2);
  grown.set(array);
  return grown;
}

/** Idle memory may exceed what the peak of use leaves free by half of the peak and by this. */
const SLACK_BYTES = 8 * 2 ** 20;

export interface BufferStatistics {
  /** Bytes in arrays handed out and not yet returned. */
  usedBytes: number;
  /** Bytes waiting for reuse. */
  idleBytes: number;
  /** Arrays allocated so far; constant once training has reached its steady state. */
  numAllocated: number;
}

/**
 * Arrays for kernel outputs, reused from step to step by exact length. The pool holds little more
 * than was ever in use at once: lengths that have not been asked for the longest go first.
 */
export class BufferPool {
  /** Idle arrays by length; a length that is used moves to the end. */
  private readonly idle = new Map<number, Float32Array[]>();
  private readonly statistics: BufferStatistics = { usedBytes: 0, idleBytes: 0, numAllocated: 0 };
  private peakBytes = 0;

  /** `onEvict` sees every array that is given up. */
  constructor(private readonly onEvict: (array: Float32Array) => void = () => undefined) {}

  /** An array of unspecified content. */
  take(length: number): Float32Array {
    const array = this.reuse(length) ?? this.allocate(length);
    this.statistics.usedBytes += array.byteLength;
    this.peakBytes = Math.max(this.peakBytes, this.statistics.usedBytes);
    return array;
  }

  /** Takes back an array that nobody will touch again. */
  give(array: Float32Array): void {
    this.forget(array);
    const list = this.idle.get(array.length) ?? [];
    this.idle.delete(array.length);
    this.idle.set(array.length, list);
    list.push(array);
    this.statistics.idleBytes += array.byteLength;
    this.evict();
  }

  /** Notes that an array left for good (somebody outside holds it now). */
  forget(array: Float32Array): void {
    this.statistics.usedBytes -= array.byteLength;
  }

  /** The arrays that wait for reuse. */
  listIdle(): Float32Array[] {
    return [...this.idle.values()].flat();
  }

  report(): Readonly<BufferStatistics> {
    return { ...this.statistics };
  }

  private reuse(length: number): Float32Array | undefined {
    const array = this.idle.get(length)?.pop();
    if (array !== undefined) this.statistics.idleBytes -= array.byteLength;
    return array;
  }

  private allocate(length: number): Float32Array {
    this.statistics.numAllocated += 1;
    return new Float32Array(length);
  }

  private evict(): void {
    const limit = 1.5 * this.peakBytes + SLACK_BYTES;
    for (const [length, list] of this.idle) {
      while (this.statistics.usedBytes + this.statistics.idleBytes > limit) {
        const array = list.pop();
        if (array === undefined) break;
        this.statistics.idleBytes -= array.byteLength;
        this.onEvict(array);
      }
      if (list.length > 0) return;
      this.idle.delete(length);
    }
  }
}

/** Bytes of idle buffers kept even when little is in use. */
const MIN_IDLE_BYTES = 64 * 2 ** 20;

export interface BufferStatistics {
  /** Bytes in arrays handed out and not yet returned. */
  usedBytes: number;
  /** Bytes waiting for reuse. */
  idleBytes: number;
  /** Arrays allocated so far; constant once training has reached its steady state. */
  numAllocated: number;
}

/**
 * Arrays for kernel outputs, reused from step to step by exact length. Idle memory never exceeds
 * the peak of what was in use (or 64 MiB), so a change of shapes cannot pile up old sizes.
 */
export class BufferPool {
  private readonly idle = new Map<number, Float32Array[]>();
  private readonly statistics: BufferStatistics = { usedBytes: 0, idleBytes: 0, numAllocated: 0 };
  private peakBytes = 0;

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
    const limit = Math.max(this.peakBytes, MIN_IDLE_BYTES);
    if (this.statistics.idleBytes + array.byteLength > limit) this.clear();
    const list = this.idle.get(array.length);
    if (list === undefined) this.idle.set(array.length, [array]);
    else list.push(array);
    this.statistics.idleBytes += array.byteLength;
  }

  /** Notes that an array left for good (somebody outside holds it now). */
  forget(array: Float32Array): void {
    this.statistics.usedBytes -= array.byteLength;
  }

  /** Drops idle arrays and starts the peak over. */
  clear(): void {
    this.idle.clear();
    this.statistics.idleBytes = 0;
    this.peakBytes = this.statistics.usedBytes;
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
}

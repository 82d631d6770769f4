import { throwIfAborted } from "@stagecraft/core";

/** An entry with its place in the log. */
export interface Logged<T> {
  sequence: number;
  time: Date;
  event: T;
}

/** The latest events of a run, for any number of readers. */
export interface EventLog<T> {
  append(event: T): void;
  /**
   * Events after a sequence number, then new ones as they come, until `isOver` holds and all are read.
   * Events already dropped are skipped.
   */
  read(options: ReadOptions): AsyncGenerator<Logged<T>>;
  readonly lastSequence: number;
}

export interface ReadOptions {
  after: number;
  signal: AbortSignal;
  /** Asked whenever the reader has caught up. */
  isOver(): boolean;
}

/** Keeps the newest `capacity` events; the first has the number after `before`. */
export function createEventLog<T>(capacity: number, before = 0): EventLog<T> {
  let kept: Logged<T>[] = [];
  let lastSequence = before;
  const sleepers = new Set<() => void>();
  const wakeAll = () => {
    for (const wake of sleepers) wake();
    sleepers.clear();
  };

  return {
    get lastSequence() {
      return lastSequence;
    },
    append(event) {
      kept.push({ sequence: ++lastSequence, time: new Date(), event });
      // Dropping in blocks keeps appending cheap.
      if (kept.length >= 2 * capacity) kept = kept.slice(-capacity);
      wakeAll();
    },
    async *read({ after, signal, isOver }) {
      let last = after;
      signal.addEventListener("abort", wakeAll, { once: true });
      try {
        for (;;) {
          throwIfAborted(signal);
          const entry = kept[Math.max(0, last + 1 - (kept[0]?.sequence ?? 1))];
          if (entry) {
            last = entry.sequence;
            yield entry;
          } else if (isOver()) {
            return;
          } else {
            await new Promise<void>((wake) => sleepers.add(wake));
          }
        }
      } finally {
        signal.removeEventListener("abort", wakeAll);
      }
    },
  };
}

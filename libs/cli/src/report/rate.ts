/** Time left of a counted task, from the pace since this process started on it. */
export interface Eta {
  /** Milliseconds until `total`; Infinity before there is a pace to judge by. */
  remainingMs(done: number, total: number): number;
}

/** Counts from the first call on, so a resumed run's earlier steps do not flatter the pace. */
export function createEta(now: () => number = Date.now): Eta {
  let startMs: number | undefined;
  let startDone = 0;
  return {
    remainingMs(done, total) {
      if (startMs === undefined || done < startDone) {
        startMs = now();
        startDone = done;
      }
      const made = done - startDone;
      return made === 0 ? Infinity : ((now() - startMs) / made) * (total - done);
    },
  };
}

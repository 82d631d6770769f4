/** Runs pieces of work one after the other, in the order in which they were given. */
export interface SerialQueue {
  /** The result of `work`, which begins when all that was given before has ended, well or not. */
  run<T>(work: () => Promise<T> | T): Promise<T>;
  /** Resolves when everything given until now has ended; never rejects. */
  idle(): Promise<void>;
}

/** A queue of its own for whatever must not run twice at a time, such as writes of one file. */
export function createSerialQueue(): SerialQueue {
  let last: Promise<void> = Promise.resolve();
  return {
    run(work) {
      const result = last.then(work);
      last = result.then(
        () => undefined,
        () => undefined, // whoever asked for it hears of it
      );
      return result;
    },
    idle: () => last,
  };
}

/** Lets a number of pieces of work go on at once, first come first served; with one place, a queue. */
export interface Semaphore {
  /** `onEnter` is called at once when the work gets its place, before anybody else may enter. */
  <T>(work: () => Promise<T>, onEnter?: () => void): Promise<T>;
  /** The number of places has changed. */
  poke(): void;
}

/** `places` is asked whenever somebody wants in or leaves. */
export function createSemaphore(places: number | (() => number)): Semaphore {
  const waiting: (() => void)[] = [];
  let numInside = 0;
  const limit = () => (typeof places === "number" ? places : places());
  const poke = () => {
    while (waiting.length > 0 && numInside < limit()) {
      // Counted here, so that nobody slips in between.
      numInside++;
      waiting.shift()!();
    }
  };
  const pass = async <T>(work: () => Promise<T>, onEnter?: () => void): Promise<T> => {
    const entered = new Promise<void>((enter) => {
      waiting.push(() => {
        onEnter?.();
        enter();
      });
    });
    poke();
    await entered;
    try {
      return await work();
    } finally {
      numInside--;
      poke();
    }
  };
  return Object.assign(pass, { poke });
}

/** Runs work as soon as fewer than `places` pieces of it are going on, first come first served. */
export function createTurnstile(places: number): <T>(work: () => Promise<T>) => Promise<T> {
  const waiting: (() => void)[] = [];
  let numInside = 0;
  return async (work) => {
    if (numInside >= places) await new Promise<void>((enter) => waiting.push(enter));
    else numInside++;
    try {
      return await work();
    } finally {
      // The place passes on directly, so that nobody slips in between.
      const enter = waiting.shift();
      if (enter) enter();
      else numInside--;
    }
  };
}

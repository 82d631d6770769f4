/** Gathers what comes in one burst. */
export interface Burst<T> {
  add(items: readonly T[]): void;
}

/** A burst that does not end is cut after so long. */
const MAX_MS = 5;

/** Delivers what has come when a turn of the event loop brings no more: at once for who comes alone. */
export function createBurst<T>(
  deliver: (items: T[]) => void,
  now: () => number = () => performance.now(),
): Burst<T> {
  let gathered: T[] = [];
  const look = (numBefore: number, endsAt: number) => {
    if (gathered.length > numBefore && now() < endsAt) {
      setImmediate(look, gathered.length, endsAt);
      return;
    }
    const items = gathered;
    gathered = [];
    deliver(items);
  };
  return {
    add(items) {
      const isFirst = gathered.length === 0;
      gathered.push(...items);
      if (isFirst) setImmediate(look, 0, now() + MAX_MS);
    },
  };
}

import { setImmediate as nextTurn } from "node:timers/promises";

/** Resolves when work of this size may run on the event loop. */
export type LoopGate = (size: number) => Promise<void>;

/**
 * Lets work through in the order of its coming, so much in one turn of the event loop: health checks and
 * other calls get their turn between two pieces, however many callers send large texts at once. A piece
 * larger than `maxPerTurn` has a turn of its own.
 */
export function createLoopGate(maxPerTurn: number): LoopGate {
  let used = 0;
  let waiting: Promise<void> | undefined;
  const enter = async (size: number) => {
    while (used > 0 && used + size > maxPerTurn) await nextTurn();
    if (used === 0) setImmediate(() => (used = 0));
    used += size;
  };
  return (size) => {
    const mine: Promise<void> = (waiting ? waiting.then(() => enter(size)) : enter(size)).finally(
      () => {
        if (waiting === mine) waiting = undefined;
      },
    );
    waiting = mine;
    return mine;
  };
}

// What is lost while a run goes on, and how long the run stood still for it.

/** The longest that a loss may hold a run up. */
export const MAX_STALL_SECONDS = 15;

/**
 * Follows a run by its lines (`update 3`): at some updates something happens, beside the run. `stalls` tells the
 * longest wait for an update from then until the next thing happens, or the end.
 * @param {Readonly<Record<number, { what: string, act: () => Promise<unknown> }>>} faults by the update after which
 * it happens
 * @param {() => number} [nowMs]
 */
export function watchUpdates(faults, nowMs = Date.now) {
  /** @type {{ what: string, seconds: number }[]} */
  const stalls = [];
  /** @type {Promise<unknown>[]} */
  const acts = [];
  let lastMs = nowMs();
  return {
    /** @param {string} line */
    onLine(line) {
      const update = Number(/^update (\d+)$/.exec(line)?.[1]);
      if (!Number.isFinite(update)) return;
      const seconds = (nowMs() - lastMs) / 1000;
      lastMs = nowMs();
      const current = stalls.at(-1);
      if (current) current.seconds = Math.max(current.seconds, seconds);
      const fault = faults[update];
      if (!fault) return;
      stalls.push({ what: fault.what, seconds: 0 });
      acts.push(fault.act());
    },
    /** Once all has happened; throws when something could not be done. */
    async stalls() {
      await Promise.all(acts);
      return stalls;
    },
  };
}

/**
 * Ids of rollouts that were learnt from, so that a late or repeated delivery counts once. Ids of the
 * last `keepUpdates` updates are kept: task ids name their update, so older ones cannot be taken for
 * new ones.
 */
export interface Ledger {
  has(rolloutId: string): boolean;
  add(rolloutIds: readonly string[]): void;
  /** For the checkpoint. */
  state(): string[][];
}

const DEFAULT_KEEP_UPDATES = 8;

/** A ledger, empty or as a checkpoint left it. */
export function createLedger(
  state: readonly (readonly string[])[] = [],
  keepUpdates = DEFAULT_KEEP_UPDATES,
): Ledger {
  let updates = state.map((ids) => [...ids]);
  let known = new Set(updates.flat());
  return {
    has: (rolloutId) => known.has(rolloutId),
    add(rolloutIds) {
      updates = [...updates, [...rolloutIds]].slice(-keepUpdates);
      known = new Set(updates.flat());
    },
    state: () => updates.map((ids) => [...ids]),
  };
}

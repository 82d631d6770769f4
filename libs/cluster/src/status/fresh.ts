/** What nobody has said again for so long is not known any more. */
export const FRESH_MS = 3000;

/** The last answer to a question that is asked again and again; absent when it has grown old. */
export interface Fresh<T> {
  set(value: T, nowMs: number): void;
  get(nowMs: number): T | undefined;
}

/** Nothing is known yet. */
export function createFresh<T>(maxAgeMs = FRESH_MS): Fresh<T> {
  let last: { value: T; atMs: number } | undefined;
  return {
    set(value, atMs) {
      last = { value, atMs };
    },
    get: (nowMs) => (last && nowMs - last.atMs <= maxAgeMs ? last.value : undefined),
  };
}

import { FRESH_MS } from "./fresh.js";

/** The pace of a counter over the last seconds. */
export interface RateMeter {
  /** A counter that went down belongs to a new process and starts afresh. */
  add(value: number, nowMs: number): void;
  /** Undefined before there are two values to judge by, and when the last one has grown old. */
  perSecond(nowMs: number): number | undefined;
}

/** Looks `windowMs` back. */
export function createRateMeter(windowMs: number): RateMeter {
  let samples: { value: number; atMs: number }[] = [];
  return {
    add(value, atMs) {
      if (samples.length > 0 && value < samples.at(-1)!.value) samples = [];
      samples.push({ value, atMs });
      // One sample from before the window stays, so that the pace spans all of it.
      while (samples.length > 2 && samples[1]!.atMs <= atMs - windowMs) samples.shift();
    },
    perSecond(nowMs) {
      const [first, last] = [samples[0], samples.at(-1)];
      if (!first || !last || last.atMs <= first.atMs) return undefined;
      if (nowMs - last.atMs > FRESH_MS) return undefined;
      return (1000 * (last.value - first.value)) / (last.atMs - first.atMs);
    },
  };
}

import { MachineLimits, medianLimits } from "./machine.mjs";

/**
 * What a benchmark gets: how to measure and where to tell how it is getting on.
 * @typedef {{
 *   rounds: number, threads: number, clock: "wall" | "cpu",
 *   progress: import("./progress.mjs").Progress, warn(text: string): void,
 *   machineLimits(): Promise<object>,
 * }} BenchContext
 */

/** The context of a run. The programs that measure the machine start when they are first asked. */
export function createContext({ rounds, threads, clock, progress }) {
  let limits;
  const warn = (text) => progress.warn(text);
  return {
    rounds,
    threads,
    clock,
    progress,
    warn,
    async machineLimits() {
      limits ??= MachineLimits.start(threads, warn);
      return (await limits).sample();
    },
    async limitsOfRun() {
      return limits ? medianLimits((await limits).all) : {};
    },
    async close() {
      await (await limits)?.close();
    },
  };
}

import { initEngine } from "@stagecraft/tensor";

/**
 * Starts the engine that a program of ours is measured on: native, unless the row names another in the variable
 * BENCH_ENGINE (xla takes its plugin from XLA_PLUGIN). Engines that take no number of threads get it from the row.
 * @param {number} numThreads
 */
export async function startEngine(numThreads) {
  const { BENCH_ENGINE: engine = "native", XLA_PLUGIN: plugin } = process.env;
  if (engine === "native") return initEngine({ engine, numThreads });
  return initEngine({ engine, ...(engine === "xla" && plugin !== undefined && { plugin }) });
}

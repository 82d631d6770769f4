import { StagecraftError } from "@stagecraft/core";
import type { EngineInfo } from "./engine.js";
import { tf } from "./tf.js";

/** Optional peer dependencies, best first; each registers TFJS's "tensorflow" backend. */
const PACKAGES = ["@tensorflow/tfjs-node-gpu", "@tensorflow/tfjs-node"];

/** Starts libtensorflow through whichever package is installed. */
export async function startTensorFlow(): Promise<EngineInfo> {
  const failures: unknown[] = [];
  for (const name of PACKAGES) {
    try {
      await import(name);
      await tf.setBackend("tensorflow");
      await tf.ready();
      return { name: "tensorflow", numThreads: 1, simd: "none" };
    } catch (error) {
      failures.push(error);
    }
  }
  throw new StagecraftError(
    "failed_precondition",
    `engine "tensorflow" needs ${PACKAGES.join(" or ")}: install one of them (see docs) or choose ` +
      `engine "native": ${failures.map((error) => firstLine(error)).join("; ")}`,
    { cause: failures[0] },
  );
}

function firstLine(error: unknown): string {
  return (error instanceof Error ? error.message : String(error)).split("\n")[0] ?? "";
}

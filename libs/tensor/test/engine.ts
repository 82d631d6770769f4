import { inject } from "vitest";
import { initEngine, type EngineName } from "../src/index.js";

declare module "vitest" {
  interface ProvidedContext {
    /** Set by `npm run test:tensorflow`, which runs the suites on that engine. */
    engine?: EngineName;
  }
}

/** Starts the engine that the test run names, else plain TFJS. */
export async function startTestEngine() {
  return initEngine({ engine: inject("engine") ?? "cpu" });
}

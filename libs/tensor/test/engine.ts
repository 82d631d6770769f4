import { inject } from "vitest";
import { initEngine, type EngineName, type EngineOptions } from "../src/index.js";

declare module "vitest" {
  interface ProvidedContext {
    /** Set by `npm run test:tensorflow` and `test:xla`, which run the suites on their engine. */
    engine?: EngineName;
  }
}

/** Starts the engine that the test run names, else the one that the test is about. */
export async function startTestEngine(engine: EngineOptions["engine"]): Promise<void> {
  await initEngine({ engine: inject("engine") ?? engine });
}

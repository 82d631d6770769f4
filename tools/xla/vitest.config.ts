/** The suites of `npm run test:xla`: what the engine computes, on that engine. */
import { configDefaults, mergeConfig } from "vitest/config";
import base from "../../vitest.config.js";
import { LEFT_OUT, ON_A_PLUGIN } from "./suites.mjs";

export default mergeConfig(base, {
  test: {
    root: new URL("../..", import.meta.url).pathname,
    setupFiles: [new URL("start-engine.ts", import.meta.url).pathname],
    provide: { engine: "xla" },
    include: [ON_A_PLUGIN], // beside the usual ones
    exclude: [...configDefaults.exclude, ...Object.keys(LEFT_OUT)],
    testTimeout: 600_000, // every shape that a test meets is compiled first
    hookTimeout: 600_000,
  },
});

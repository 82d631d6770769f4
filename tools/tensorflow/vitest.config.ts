/** The suites of `npm run test:tensorflow`: what the engine computes, on that engine. */
import { configDefaults, mergeConfig } from "vitest/config";
import base from "../../vitest.config.js";
import { LEFT_OUT } from "./suites.mjs";

export default mergeConfig(base, {
  test: {
    root: new URL("../..", import.meta.url).pathname,
    setupFiles: [new URL("start-engine.ts", import.meta.url).pathname],
    provide: { engine: "tensorflow" },
    exclude: [...configDefaults.exclude, ...Object.keys(LEFT_OUT)],
    testTimeout: 240_000, // TFJS-node makes hundreds of small operations of what is one native kernel
    hookTimeout: 240_000,
  },
});

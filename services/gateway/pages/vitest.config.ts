import { defineConfig, mergeConfig } from "vitest/config";
import base from "../../../vitest.config.js";

/** `npm run test:pages`: every test of the pages, in a real browser. */
export default mergeConfig(
  { resolve: base.resolve!, ssr: base.ssr! },
  defineConfig({
    test: {
      root: new URL("../../..", import.meta.url).pathname,
      include: ["services/gateway/pages/**/*.test.ts", "libs/cli/test/pages/**/*.test.ts"],
      pool: "forks",
      maxWorkers: 2,
      testTimeout: 180_000,
      hookTimeout: 180_000,
    },
  }),
);

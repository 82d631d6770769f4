import { defineConfig } from "vitest/config";

const conditions = ["@stagecraft/source", "node"];

/** The tests of the addon with a real plugin, the one that XLA_PLUGIN names: `npm run test:xla`. */
export default defineConfig({
  resolve: { conditions },
  ssr: { resolve: { conditions } },
  test: {
    include: ["libs/tensor-xla/test/*.plugin-test.ts"],
    pool: "forks",
    maxWorkers: 1,
    testTimeout: 60_000,
  },
});

import { fileURLToPath } from "node:url";
import { defineConfig } from "vitest/config";

const conditions = ["@stagecraft/source", "node"];

/** The tests of kernels, decoder and sampler on the instruction set that simd.mjs names. */
export default defineConfig({
  resolve: { conditions },
  ssr: { resolve: { conditions } },
  test: {
    include: ["libs/tensor/src/engines/native/*.test.ts", "libs/model/src/generation/*.test.ts"],
    setupFiles: [fileURLToPath(new URL("simd.setup.mjs", import.meta.url))],
    provide: { simd: process.env.STAGECRAFT_TEST_SIMD },
    pool: "forks",
    maxWorkers: 1,
    testTimeout: 300_000,
  },
});

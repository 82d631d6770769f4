import { defineConfig } from "vitest/config";

const conditions = ["@stagecraft/source", "node"];

/** The native tests of libs/tensor, and those of decoder and sampler, on the addon that sanitize.mjs compiled. */
export default defineConfig({
  resolve: { conditions },
  ssr: { resolve: { conditions } },
  plugins: [
    {
      name: "sanitized-addon",
      transform: (code, id) =>
        /tensor(-native)?\/src\/.*\.ts$/.test(id)
          ? code.replaceAll(
              "build/stagecraft_native.node",
              "native/build/sanitize/stagecraft_native.node",
            )
          : undefined,
    },
  ],
  test: {
    include: [
      "libs/tensor/src/engines/native/*.test.ts",
      "libs/model/src/generation/{decoder,native-sampling}.test.ts",
    ],
    pool: "forks",
    maxWorkers: 1,
    testTimeout: 600_000,
  },
});

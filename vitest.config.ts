import { defineConfig } from "vitest/config";
import { LongestFirst } from "./tools/test/longest-first.mjs";

/** `@stagecraft/*` packages resolve to their TypeScript sources, so tests need no build. */
// No "import" here: Node would apply it to require() too, and CommonJS (tfjs → long) would get ESM.
const conditions = ["@stagecraft/source", "node"];

export default defineConfig({
  resolve: { conditions },
  ssr: { resolve: { conditions } },
  test: {
    include: [
      "{libs,services}/*/{src,test,web}/**/*.test.ts",
      "services/*/pages/short.test.ts",
      "{tools,deploy}/**/*.test.ts",
    ],
    exclude: ["**/node_modules/**", "libs/cli/test/pages/**"], // by `npm run test:pages`
    pool: "forks",
    // One more than the cores we test on: many tests wait, for processes that start and leases that end. Tensor
    // engines use threads of their own, so that still more only fight over cores.
    maxWorkers: 3,
    sequence: { sequencer: LongestFirst },
    testTimeout: 60_000,
    hookTimeout: 60_000,
  },
});

import { defineConfig } from "vitest/config";

/** `@stagecraft/*` packages resolve to their TypeScript sources, so tests need no build. */
const conditions = ["@stagecraft/source", "node", "import", "module", "default"];

export default defineConfig({
  resolve: { conditions },
  ssr: { resolve: { conditions } },
  test: {
    include: ["{libs,services}/*/{src,test}/**/*.test.ts", "tools/**/*.test.ts"],
    benchmark: { include: ["{libs,services}/*/{src,bench}/**/*.bench.ts"] },
    pool: "forks",
    maxWorkers: 2, // tensor engines use threads of their own; more forks only fight over cores
    testTimeout: 60_000,
    hookTimeout: 60_000,
  },
});

import { defineConfig } from "vitest/config";

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
    maxWorkers: 2, // tensor engines use threads of their own; more forks only fight over cores
    testTimeout: 60_000,
    hookTimeout: 60_000,
  },
});

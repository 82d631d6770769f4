import js from "@eslint/js";
import { relative } from "node:path";
import { fileURLToPath } from "node:url";
import tseslint from "typescript-eslint";
import { boundaryConfigs } from "./tools/lint/boundary-rules.mjs";
import { createProjectPrograms } from "./tools/lint/project-program.mjs";

const root = fileURLToPath(new URL(".", import.meta.url));

/** In a project's folder its own program (seconds); at the root, as in editors, the whole one. */
function typeInformation() {
  const here = relative(root, process.cwd()).split("\\").join("/");
  return /^((libs|services)\/[^/]+|tools|deploy)$/.test(here)
    ? { programs: createProjectPrograms(root, here) }
    : {
        project: ["./tsconfig.test.json", "./services/*/web/tsconfig.json"],
        tsconfigRootDir: root,
      };
}

export default tseslint.config(
  {
    ignores: [
      "**/{node_modules,dist,build,.nx,coverage}/**",
      "runs/**",
      "**/src/gen/**",
      ".stagecraft/**",
      "bench/peers/{.venv,.cache}/**",
    ],
  },
  { linterOptions: { reportUnusedDisableDirectives: "error" } },
  js.configs.recommended,
  {
    files: ["**/*.{ts,tsx}"],
    extends: [tseslint.configs.recommended],
    languageOptions: { parserOptions: typeInformation() },
    rules: {
      "@typescript-eslint/await-thenable": "error",
      "@typescript-eslint/consistent-type-imports": "error",
      "@typescript-eslint/no-floating-promises": [
        "error",
        {
          allowForKnownSafeCalls: [
            { from: "package", name: ["it", "describe", "test"], package: "vitest" },
          ],
        },
      ],
      "@typescript-eslint/no-misused-promises": [
        "error",
        { checksVoidReturn: { arguments: false } },
      ],
      "@typescript-eslint/no-unused-vars": [
        "error",
        { argsIgnorePattern: "^_", varsIgnorePattern: "^_", caughtErrors: "none" },
      ],
      "@typescript-eslint/only-throw-error": "error",
      "@typescript-eslint/prefer-promise-reject-errors": "error",
      "@typescript-eslint/switch-exhaustiveness-check": [
        "error",
        { considerDefaultExhaustiveForUnions: true },
      ],
      eqeqeq: ["error", "always", { null: "ignore" }],
      "no-console": "error",
    },
  },
  {
    // A command and its tests talk to a terminal; benchmarks print their tables.
    files: ["libs/cli/src/**/*.ts", "**/*.bench.ts", "**/bench/**/*.ts", "tools/**/*.ts"],
    rules: { "no-console": "off" },
  },
  {
    files: ["**/*.{js,mjs,cjs}"],
    rules: {
      "no-unused-vars": ["error", { varsIgnorePattern: "^_", argsIgnorePattern: "^_" }],
    },
    languageOptions: {
      globals: Object.fromEntries(
        [
          "process",
          "performance",
          "console",
          "Buffer",
          "URL",
          "setTimeout",
          "clearTimeout",
          "setInterval",
          "clearInterval",
          "AbortController",
          "AbortSignal",
          "fetch",
        ].map((name) => [name, "readonly"]),
      ),
    },
  },
  ...boundaryConfigs(root),
);

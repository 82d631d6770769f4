import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";

const root = fileURLToPath(new URL("../", import.meta.url));
/** Made by the command itself; not here, because it needs a package index. */
const hasPython = existsSync(`${root}/examples/python/.venv`);

function runExample(name: string): string {
  const args = ["run", "-s", `example:${name}`, "--", "--demo"];
  const { stdout, stderr, status } = spawnSync("npm", args, { cwd: root, encoding: "utf8" });
  expect(status, stderr).toBe(0);
  return stdout;
}

function expectWholeTour(output: string): void {
  expect(output).toMatch(/\(\d+ tokens by weights 0\)/);
  expect(output).toMatch(/score -?\d+\.\d+ by reward@[0-9a-f]{12}/);
  expect(output.match(/^update \d/gm)).toHaveLength(5);
  expect(output).toMatch(/^ppo-\w+ SUCCEEDED$/m);
}

describe("the example clients", () => {
  it("in TypeScript generates, scores and watches a run", () => {
    expectWholeTour(runExample("typescript"));
  }, 240_000);

  it.skipIf(!hasPython)(
    "in Python does the same (npm run example:python makes its .venv)",
    () => {
      expectWholeTour(runExample("python"));
    },
    240_000,
  );
});

import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { expect, test } from "vitest";

const module = new URL("../dist/v8-for-serving.js", import.meta.url).href;
/** How many calls of one function pass until V8 has optimised it; it is told so by one of V8's natives. */
const COUNT = `
  const add = (list) => { let sum = 0; for (const each of list) sum += each; return sum; };
  const TURBOFAN = 1 << 6; // of its OptimizationStatus
  let calls = 0;
  const list = [1, 2, 3, 4];
  while (calls < 1_000_000 && !(%GetOptimizationStatus(add) & TURBOFAN)) {
    add(list);
    calls++;
  }
  console.log(calls);`;

async function callsUntilOptimized(begin: string) {
  const flags = ["--allow-natives-syntax", "--input-type=module", "--no-concurrent-recompilation"];
  const run = await promisify(execFile)(process.execPath, [...flags, "-e", begin + COUNT]);
  return { calls: Number(run.stdout), stderr: run.stderr };
}

test("this Node knows the flags, and optimises after fewer calls", async () => {
  const usual = await callsUntilOptimized("");
  const sooner = await callsUntilOptimized(
    `(await import(${JSON.stringify(module)})).setV8ForServing();`,
  );
  expect(sooner.stderr).toBe(""); // V8 complains there of flags that it does not know
  expect(usual.calls).toBeLessThan(1_000_000);
  expect(sooner.calls).toBeLessThan(usual.calls / 2);
});

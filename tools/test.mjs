// `npm test [-- vitest arguments]`: set-up, then every test, then one line `N passed, N failed`.
import { readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { ensureNatsServer, prepare } from "./setup/environment.mjs";
import { root, runTool } from "./setup/main.mjs";
import { runAttached, together } from "./setup/steps.mjs";
import { summarize } from "./test/summary.mjs";

await runTool("Stagecraft tests", async (steps) => {
  await together(prepare(root, steps), ensureNatsServer(steps));
  const report = join(root, ".stagecraft", `test-report-${process.pid}.json`);
  const vitest = join(root, "node_modules", "vitest", "vitest.mjs");
  const reporters = ["--reporter=default", "--reporter=json", `--outputFile.json=${report}`];
  const args = [vitest, "run", ...reporters, ...process.argv.slice(2)];
  const code = await runAttached([process.execPath, ...args], { cwd: root });
  const summary = readSummary(report);
  const { passed } = summary;
  const failed = summary.failed || (code === 0 ? 0 : 1); // errors outside any test count too
  console.log(`${passed} passed, ${failed} failed`);
  return code || (failed > 0 ? 1 : 0);
});

/** @param {string} report */
function readSummary(report) {
  try {
    return summarize(JSON.parse(readFileSync(report, "utf8")));
  } catch {
    return { passed: 0, failed: 1 }; // vitest died before it could write its report
  } finally {
    rmSync(report, { force: true });
  }
}

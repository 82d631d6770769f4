// Every family through every stage, with adapters too, by the command line.
import { spawnSync } from "node:child_process";
import { join } from "node:path";

const TEST = "libs/cli/test/cases/families.test.ts";

/**
 * @param {string} root
 * @returns {{ name: string, problem?: string }[]}
 */
export function checkStages(root) {
  const vitest = join(root, "node_modules", "vitest", "vitest.mjs");
  const { stdout, stderr } = spawnSync(
    process.execPath,
    [vitest, "run", TEST, "--reporter", "json"],
    {
      ...{ cwd: root, encoding: "utf8", maxBuffer: 2 ** 28 },
      env: { ...process.env, EVERY_FAMILY: "1" },
    },
  );
  try {
    const report = JSON.parse(stdout.slice(stdout.indexOf("{")));
    return report.testResults[0].assertionResults.map(
      (/** @type {{ title: string, status: string, failureMessages: string[] }} */ each) => ({
        name: `stages: ${each.title}`,
        ...(each.status !== "passed" && { problem: each.failureMessages.join("\n") }),
      }),
    );
  } catch {
    return [{ name: "stages", problem: stdout + stderr }];
  }
}

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
  let report;
  try {
    report = JSON.parse(stdout.slice(stdout.indexOf("{")));
  } catch {
    return [{ name: "stages", problem: stdout + stderr }];
  }
  return stageResults(report);
}

/**
 * What vitest says of each test, and of a run that failed beside them: a file that does not load has no test.
 * @param {{
 *   success: boolean,
 *   testResults: {
 *     message: string,
 *     assertionResults: { title: string, status: string, failureMessages: string[] }[],
 *   }[],
 * }} report
 * @returns {{ name: string, problem?: string }[]}
 */
export function stageResults({ success, testResults }) {
  const results = testResults
    .flatMap(({ assertionResults }) => assertionResults)
    .map(({ title, status, failureMessages }) => ({
      name: `stages: ${title}`,
      ...(status !== "passed" && { problem: [status, ...failureMessages].join("\n") }),
    }));
  const isTold = success
    ? results.length > 0
    : results.some(({ problem }) => problem !== undefined);
  if (isTold) return results;
  const messages = testResults.map(({ message }) => message).filter((message) => message !== "");
  return [
    ...results,
    { name: "stages", problem: ["the run failed, or has no test", ...messages].join("\n") },
  ];
}

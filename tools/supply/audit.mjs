// `npm run audit`: known weaknesses of what the images hold, asked of the registry that npm uses. Not every
// registry answers that question: then this says so and counts as skipped.
import { spawnSync } from "node:child_process";
import { dirname } from "node:path";
import { fileURLToPath } from "node:url";

const root = dirname(dirname(dirname(fileURLToPath(import.meta.url))));

/**
 * What an answer of `npm audit --json` means.
 * @param {string} stdout
 * @returns {{ skipped?: string, weaknesses: string[] }}
 */
export function readAudit(stdout) {
  /** @type {{ error?: { summary?: string }, message?: string, vulnerabilities?: Record<string, { severity: string, range: string }> }} */
  let answer;
  try {
    answer = JSON.parse(stdout);
  } catch {
    return { skipped: "npm gave no answer that can be read", weaknesses: [] };
  }
  const { vulnerabilities } = answer;
  if (!vulnerabilities) {
    const why = answer.error?.summary || answer.message || "no reason given";
    return { skipped: `the registry does not answer audits: ${why}`, weaknesses: [] };
  }
  const weaknesses = Object.entries(vulnerabilities).map(
    ([name, { severity, range }]) => `${severity}: ${name} ${range}`,
  );
  return { weaknesses };
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const args = ["audit", "--omit=dev", "--json", "--fetch-timeout=20000", "--fetch-retries=0"];
  const { stdout } = spawnSync("npm", args, { cwd: root, encoding: "utf8", maxBuffer: 2 ** 28 });
  const { skipped, weaknesses } = readAudit(stdout);
  if (skipped) console.log(`SKIPPED: ${skipped.split("\n")[0]}`);
  else console.log(weaknesses.join("\n") || "no known weakness in what the images hold");
  process.exitCode = weaknesses.length > 0 ? 1 : 0;
}

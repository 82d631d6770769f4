// `npm run all`: what CI would run, cached by nx: generate (a dirty tree fails), licences, lint,
// typecheck, build, test.
import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { ensureNatsServer, prepare } from "./setup/environment.mjs";
import { root, runTool } from "./setup/main.mjs";
import { runAttached, StepError, together } from "./setup/steps.mjs";
import { licenceProblems, lockedPackages } from "./supply/licences.mjs";

const nx = join(root, "node_modules", ".bin", "nx"); // its own place inside the package moves
const env = { ...process.env, NX_DAEMON: "false", NX_NO_CLOUD: "true" };

await runTool("Stagecraft: generate, lint, typecheck, build, test", async (steps) => {
  await together(prepare(root, steps), ensureNatsServer(steps));
  await steps.run("generated code matches proto/", async () => {
    const before = generatedCode();
    const code = await runNx(["run-many", "-t", "generate", "--output-style=static"]);
    if (code !== 0) throw new StepError("code generation failed");
    if (generatedCode() === before) return;
    throw new StepError("generated code was out of date; it is fresh now: commit libs/contracts");
  });
  await steps.run("licences of all packages are allowed", async () => {
    const problems = licenceProblems(lockedPackages(root));
    if (problems.length > 0) throw new StepError(problems.join("\n"));
  });
  return runNx(["run-many", "-t", "lint", "typecheck", "build", "test", ...process.argv.slice(2)]);
});

/** @param {readonly string[]} args */
function runNx(args) {
  return runAttached([nx, ...args], { cwd: root, env });
}

/** The generated folder's state against the last commit, new files included. */
function generatedCode() {
  const paths = ["--", "libs/contracts/src/gen"];
  const git = (/** @type {string[]} */ ...args) =>
    spawnSync("git", args, { cwd: root, encoding: "utf8", maxBuffer: 2 ** 28 }).stdout;
  return git("status", "--porcelain", ...paths) + git("diff", "HEAD", ...paths);
}

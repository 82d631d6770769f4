import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { StepError } from "../setup/steps.mjs";

/** Kept between runs, outside the repository. */
const FOLDER = join(tmpdir(), "stagecraft-client-packages");

/** The newest major of the official client that this Node can load: 7 wants Node 22. */
function clientMajor() {
  return Number(process.versions.node.split(".")[0]) >= 22 ? 7 : 6;
}

/**
 * The official Node client; where its entry is and its version. Throws `StepError` when npm cannot get it.
 * @returns {{ openai: string, version: string }}
 */
export function installNodeClient() {
  const folder = join(FOLDER, `node-${clientMajor()}`);
  const dir = join(folder, "node_modules", "openai");
  if (!existsSync(join(dir, "package.json"))) {
    mkdirSync(folder, { recursive: true });
    writeFileSync(join(folder, "package.json"), '{ "private": true }\n');
    const flags = ["--no-audit", "--no-fund", "--ignore-scripts", "--omit=peer"];
    must(
      "npm",
      ["install", `openai@${clientMajor()}`, ...flags],
      "npm cannot install openai",
      folder,
    );
  }
  const { version } = JSON.parse(readFileSync(join(dir, "package.json"), "utf8"));
  return { openai: join(dir, "index.mjs"), version };
}

/**
 * A Python with some packages in a virtual environment; `bare` come without what they depend on.
 * Throws `StepError` that says what is missing.
 * @param {string} module which of them shows that all are there
 * @param {readonly string[]} packages
 * @param {readonly string[]} bare
 * @returns {string} its executable
 */
export function installPython(module, packages, bare) {
  const venv = join(FOLDER, "python");
  const python = join(venv, process.platform === "win32" ? "Scripts/python.exe" : "bin/python");
  mkdirSync(FOLDER, { recursive: true });
  if (!existsSync(python)) {
    must(process.env["PYTHON"] ?? "python3", ["-m", "venv", venv], "there is no Python with venv");
  }
  if (spawnSync(python, ["-c", `import ${module}`], { stdio: "ignore" }).status === 0)
    return python;
  const pip = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--retries", "1"];
  must(python, [...pip, ...packages], `pip cannot install ${packages.join(", ")}`);
  if (bare.length > 0) {
    must(python, [...pip, "--no-deps", ...bare], `pip cannot install ${bare.join(", ")}`);
  }
  return python;
}

/**
 * Runs a command to its end; throws `what` with its last words when it fails.
 * @param {string} command
 * @param {string[]} args
 * @param {string} what
 */
function must(command, args, what, cwd = FOLDER) {
  const { status, error, stderr } = spawnSync(command, args, { cwd, encoding: "utf8" });
  if (status === 0) return;
  const last = (stderr ?? "").trim().split("\n").at(-1) ?? "";
  throw new StepError(`${what}: ${error?.message ?? last}`);
}

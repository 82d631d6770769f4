// The Python that the interop checks run: $PYTHON, or an environment of their own under .cache, made by
// `python3 -m venv` and pip where a package is missing.
import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { join } from "node:path";

/**
 * A Python that imports all packages. Throws with pip's words when they cannot be had.
 * @param {string} root
 * @param {readonly string[]} packages
 * @returns {string}
 */
export function pythonWith(root, packages) {
  const given = process.env["PYTHON"];
  if (given) {
    if (imports(given, packages)) return given;
    throw new Error(`PYTHON=${given} does not import ${packages.join(", ")}; install them there`);
  }
  const home = join(root, ".cache", "interop");
  const python = join(home, "bin", "python");
  if (!existsSync(python)) run("python3", ["-m", "venv", home]);
  if (!imports(python, packages)) run(python, ["-m", "pip", "install", "-q", ...packages]);
  if (imports(python, packages)) return python;
  throw new Error(`pip installed ${packages.join(", ")}, and Python does not import them`);
}

/**
 * @param {string} python
 * @param {readonly string[]} packages
 */
function imports(python, packages) {
  return spawnSync(python, ["-c", `import ${packages.join(", ")}`]).status === 0;
}

/**
 * Runs a program to its end; its output is shown.
 * @param {string} program
 * @param {readonly string[]} args
 */
export function run(program, args) {
  const { status, error } = spawnSync(program, args, { stdio: ["ignore", "inherit", "inherit"] });
  if (error) throw new Error(`${program} cannot be started: ${error.message}`);
  if (status !== 0) throw new Error(`${program} ${args.join(" ")} ended with ${status}`);
}

import { spawnSync } from "node:child_process";
import { StepError } from "../setup/steps.mjs";

/** @param {string} program @param {readonly string[]} args */
const works = (program, ...args) => spawnSync(program, args, { stdio: "ignore" }).status === 0;

/**
 * A Python with pip: the one named by the variable PYTHON, or the first on the PATH.
 * @param {readonly string[]} [candidates]
 */
export function findPython(candidates = pythonCandidates()) {
  const found = candidates.filter((python) => works(python, "--version"));
  if (found.length === 0) {
    throw new StepError(
      "no Python 3 here, which the download of TensorFlow's wheel needs (Debian: apt install " +
        "python3 python3-pip); PYTHON=/path/to/python3 names one",
    );
  }
  const python = found.find((each) => works(each, "-m", "pip", "--version"));
  if (python === undefined) {
    throw new StepError(`${found[0]} has no pip (Debian: apt install python3-pip)`);
  }
  return python;
}

function pythonCandidates() {
  return process.env.PYTHON ? [process.env.PYTHON] : ["python3", "python"];
}

/** @param {readonly string[]} [programs] */
export function requireCompiler(programs = [process.env.CXX || "g++", "make"]) {
  const missing = programs.filter((program) => !works(program, "--version"));
  if (missing.length === 0) return;
  throw new StepError(
    `the TensorFlow engine's binding is compiled here, but ${missing.join(" and ")} is missing ` +
      "(Debian: apt install g++ make)",
  );
}

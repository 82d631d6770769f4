import { existsSync, mkdirSync, readdirSync, renameSync, rmSync, symlinkSync } from "node:fs";
import { join } from "node:path";
import { StepError } from "../setup/steps.mjs";
import { findPython } from "./requirements.mjs";

/** Unpacks headers and shared libraries of a wheel (a zip file) in the layout of libtensorflow. */
const UNPACK = `
import os, shutil, sys, zipfile
wheel, target = sys.argv[1:]
with zipfile.ZipFile(wheel) as archive:
    for name in archive.namelist():
        inside = name.removeprefix("tensorflow/")
        if inside.startswith("libtensorflow") and "/" not in inside:
            path = os.path.join(target, "lib", inside)
        elif inside.startswith("include/") and not name.endswith("/"):
            path = os.path.join(target, inside)
        else:
            continue
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with archive.open(name) as source, open(path, "wb") as copy:
            shutil.copyfileobj(source, copy, 1 << 20)
`;

/** The names that the linker and TFJS's binding look for → the files in the wheel. */
const LINKS = {
  "libtensorflow.so": "libtensorflow_cc.so.2",
  "libtensorflow.so.2": "libtensorflow_cc.so.2",
  "libtensorflow_framework.so": "libtensorflow_framework.so.2",
};

/**
 * Downloads the wheel with pip and keeps its library and headers, about 1 GB, in `<dir>/<wheel>`.
 * @param {import("../setup/steps.mjs").Steps} steps
 * @param {{ wheel: string, dir: string }} options
 * @returns {Promise<string>} a folder with `lib` and `include`
 */
export async function fetchLibrary(steps, { wheel, dir }) {
  const library = join(dir, wheel.replace("==", "-"));
  if (existsSync(library)) return library;
  const python = findPython();
  const unfinished = `${library}.tmp`;
  rmSync(unfinished, { recursive: true, force: true });
  mkdirSync(unfinished, { recursive: true });
  try {
    await downloadWheel(steps, { python, wheel, to: unfinished });
    await unpack(steps, { python, wheel, dir: unfinished });
    renameSync(unfinished, library);
  } finally {
    rmSync(unfinished, { recursive: true, force: true });
  }
  return library;
}

/**
 * @param {import("../setup/steps.mjs").Steps} steps
 * @param {{ python: string, wheel: string, to: string }} options
 */
async function downloadWheel(steps, { python, wheel, to }) {
  const pip = [python, "-m", "pip", "download", "--disable-pip-version-check", "--no-deps"];
  const command = [...pip, "--only-binary", ":all:", "--dest", to, wheel];
  try {
    await steps.command(`download the wheel ${wheel} (hundreds of MB)`, command);
  } catch (error) {
    throw new StepError(
      `${error instanceof Error ? error.message : error}\n\npip found no wheel ${wheel} for this ` +
        "machine: it needs a package index that is in reach, Linux, and a Python between 3.10 and " +
        "3.13 (PYTHON=/path/to/python3 names another one)",
    );
  }
}

/**
 * @param {import("../setup/steps.mjs").Steps} steps
 * @param {{ python: string, wheel: string, dir: string }} options `dir` holds the file
 */
async function unpack(steps, { python, wheel, dir }) {
  const file = join(dir, readdirSync(dir).find((name) => name.endsWith(".whl")) ?? "");
  const command = [python, "-c", UNPACK, file, dir];
  await steps.command("unpack the library and its headers", command);
  rmSync(file);
  for (const [name, target] of Object.entries(LINKS)) {
    if (!existsSync(join(dir, "lib", target))) {
      const what = `${wheel} has no ${target}`;
      throw new StepError(`${what}: this TensorFlow release is laid out otherwise`);
    }
    symlinkSync(target, join(dir, "lib", name));
  }
}

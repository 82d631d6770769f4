import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { join, relative } from "node:path";
import { root } from "../setup/main.mjs";
import { StepError } from "../setup/steps.mjs";
import { fetchLibrary } from "../tensorflow/library.mjs";
import { findPython } from "../tensorflow/requirements.mjs";

/** The wheel that is fetched where no TensorFlow is installed: the one of tools/tensorflow. */
const WHEEL = "tensorflow-cpu==2.21.0";

/** Asked of a Python without importing the package, which would take seconds. */
const WHERE =
  "import importlib.util as u; s = u.find_spec('tensorflow'); print(s.submodule_search_locations[0] if s else '')";

/**
 * @typedef {object} Xla
 * @property {string} include headers of TensorFlow, XLA and what they need
 * @property {string} lib the folder with libtensorflow_cc.so.2
 */

/**
 * XLA as TensorFlow's wheels carry it: of the Python that PYTHON names (else the first on the PATH) where it has
 * one, else of a wheel that is fetched, 1.1 GB below `.stagecraft/`.
 * @param {import("../setup/steps.mjs").Steps} steps
 * @returns {Promise<Xla>}
 */
export async function findXla(steps) {
  const installed = installedTensorFlow(findPython());
  if (installed !== undefined) {
    steps.note(`XLA's headers from the TensorFlow in ${installed}`);
    return { include: join(installed, "include"), lib: installed };
  }
  const library = await fetchLibrary(steps, {
    wheel: WHEEL,
    dir: join(root, ".stagecraft", "tensorflow"),
  });
  steps.note(`XLA's headers from ${relative(root, library)}`);
  return { include: join(library, "include"), lib: join(library, "lib") };
}

/**
 * @param {string} python
 * @returns {string | undefined} the package's folder, when it has headers and library
 */
export function installedTensorFlow(python) {
  const { stdout } = spawnSync(python, ["-c", WHERE], { encoding: "utf8" });
  const folder = (stdout ?? "").trim();
  const whole =
    folder !== "" &&
    existsSync(join(folder, "include")) &&
    existsSync(join(folder, "libtensorflow_cc.so.2"));
  return whole ? folder : undefined;
}

/**
 * The folder with `pjrt_c_api.h`.
 * @param {string} include
 */
export function headerFolder(include) {
  const folder = ["xla/pjrt/c", "tensorflow/compiler/xla/pjrt/c"]
    .map((path) => join(include, path))
    .find((path) => existsSync(join(path, "pjrt_c_api.h")));
  if (folder !== undefined) return folder;
  throw new StepError(
    `no pjrt_c_api.h below ${include}: this TensorFlow is too old or laid out otherwise; ${WHEEL} has one`,
  );
}

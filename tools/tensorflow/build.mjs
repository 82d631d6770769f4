// Builds TFJS's "tensorflow" backend against the library inside TensorFlow's public Python wheel:
// `node tools/tensorflow/build.mjs [--gpu] [--wheel NAME==VERSION]`. The package's own install script
// would download an older library instead. Safe to repeat: what is there is kept.
import { existsSync, readFileSync } from "node:fs";
import { mkdirSync, readdirSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { pathToFileURL } from "node:url";
import { parseArgs } from "node:util";
import { findNodeDir, findNodeGyp } from "../../libs/tensor-native/node-gyp.mjs";
import { root, runTool } from "../setup/main.mjs";
import { StepError } from "../setup/steps.mjs";
import { fetchLibrary } from "./library.mjs";
import { requireCompiler } from "./requirements.mjs";

/**
 * @typedef {object} Variant
 * @property {string} packageName the npm package that is built
 * @property {string} wheel name and version of the wheel that its library comes from
 * @property {string} dir where it is built, ignored by git
 */

/** @type {{ cpu: Variant, gpu: Variant }} */
const VARIANTS = {
  cpu: {
    packageName: "@tensorflow/tfjs-node",
    wheel: "tensorflow-cpu==2.21.0",
    dir: join(root, ".stagecraft", "tensorflow"),
  },
  gpu: {
    packageName: "@tensorflow/tfjs-node-gpu",
    wheel: "tensorflow==2.21.0",
    dir: join(root, ".stagecraft", "tensorflow-gpu"),
  },
};

/**
 * @param {import("../setup/steps.mjs").Steps} steps
 * @param {{ gpu?: boolean, wheel?: string | undefined }} [options] the wheel instead of the usual one
 * @returns {Promise<string>} the node_modules folder to name in NODE_PATH
 */
export async function buildTensorFlow(steps, { gpu = false, wheel } = {}) {
  const usual = gpu ? VARIANTS.gpu : VARIANTS.cpu;
  const variant = { ...usual, wheel: wheel ?? usual.wheel };
  if (process.platform !== "linux") {
    throw new StepError(
      `TensorFlow's wheels are used on Linux only, this is ${process.platform}: install ` +
        `${variant.packageName} with npm instead (it downloads a library of its own)`,
    );
  }
  const nodeModules = join(variant.dir, "node_modules");
  const stamp = join(variant.dir, "built.json");
  const wanted = JSON.stringify({ ...variant, dir: undefined, tfjs: tfjsVersion() });
  if (existsSync(stamp) && readFileSync(stamp, "utf8") === wanted) {
    steps.note(`${variant.packageName} ${tfjsVersion()} is built (${relative(root, variant.dir)})`);
    return nodeModules;
  }
  rmSync(stamp, { force: true });
  requireCompiler();
  const library = await fetchLibrary(steps, variant);
  const folder = await installPackage(steps, variant);
  linkLibrary(folder, library);
  await compile(steps, folder);
  await tryOut(steps, nodeModules, variant.packageName);
  writeFileSync(stamp, wanted);
  return nodeModules;
}

/** Ours: the backend must be of the same release. */
function tfjsVersion() {
  const manifest = join(root, "node_modules", "@tensorflow", "tfjs", "package.json");
  return JSON.parse(readFileSync(manifest, "utf8")).version;
}

/**
 * The package and what it needs, except TFJS itself: that is found further up, in the repository, so
 * that there is one tfjs-core with one registry of kernels and tensors.
 * @param {import("../setup/steps.mjs").Steps} steps
 * @param {Variant} variant
 */
async function installPackage(steps, { packageName, dir }) {
  mkdirSync(dir, { recursive: true });
  const manifest = { private: true, dependencies: { [packageName]: tfjsVersion() } };
  writeFileSync(join(dir, "package.json"), JSON.stringify(manifest));
  const npm = ["npm", "install", "--ignore-scripts", "--no-audit", "--no-fund"];
  await steps.command(`install ${packageName} without its download`, npm, { cwd: dir });
  const scope = join(dir, "node_modules", "@tensorflow");
  const folder = join(dir, "node_modules", packageName);
  for (const name of readdirSync(scope)) {
    if (join(scope, name) !== folder) rmSync(join(scope, name), { recursive: true });
  }
  return folder;
}

/** @param {string} folder the npm package @param {string} library from fetchLibrary */
function linkLibrary(folder, library) {
  const deps = join(folder, "deps");
  rmSync(deps, { recursive: true, force: true });
  symlinkSync(relative(dirname(deps), library), deps);
}

/** @param {import("../setup/steps.mjs").Steps} steps @param {string} folder */
async function compile(steps, folder) {
  const nodePreGyp = join(folder, "..", "..", "@mapbox", "node-pre-gyp", "bin", "node-pre-gyp");
  const nodeDir = findNodeDir();
  const env = {
    ...process.env,
    CXXFLAGS: "-std=c++17", // TensorFlow's headers need it; later standards reject the binding
    npm_config_node_gyp: findNodeGyp(),
    ...(nodeDir && { npm_config_nodedir: nodeDir }),
  };
  const command = [process.execPath, nodePreGyp, "install", "--build-from-source"];
  await steps.command("compile its binding", command, { cwd: folder, env });
}

/**
 * @param {import("../setup/steps.mjs").Steps} steps
 * @param {string} nodeModules
 * @param {string} packageName
 */
async function tryOut(steps, nodeModules, packageName) {
  const program =
    `const tf = require("${packageName}"); const a = tf.tensor2d([[1, 2], [3, 4]]);` +
    `if (tf.getBackend() !== "tensorflow" || tf.matMul(a, a).dataSync()[3] !== 22) process.exit(1)`;
  const env = { ...process.env, NODE_PATH: nodeModules };
  await steps.command("multiply two matrices", [process.execPath, "-e", program], { env });
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? "").href) {
  const options = /** @type {const} */ ({ gpu: { type: "boolean" }, wheel: { type: "string" } });
  await runTool("Building the TensorFlow engine", async (steps) => {
    const nodeModules = await buildTensorFlow(steps, parseArgs({ options }).values);
    console.log(`NODE_PATH=${nodeModules}`);
    return 0;
  });
}

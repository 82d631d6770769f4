// What the engine `xla` needs compiled: `node tools/xla/build.mjs [--test-plugin]`, or `npm run setup -- --xla`.
// Safe to repeat: what is there is kept.
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { join, relative } from "node:path";
import { pathToFileURL } from "node:url";
import { parseArgs } from "node:util";
import { root, runTool } from "../setup/main.mjs";
import { StepError } from "../setup/steps.mjs";
import { requireCompiler } from "../tensorflow/requirements.mjs";
import { findXla, headerFolder } from "./tensorflow.mjs";

const PACKAGE = join(root, "libs", "tensor-xla");
const SOURCES = join(PACKAGE, "test-plugin");
const OUT = join(root, ".stagecraft", "xla");

/** Where the plugin for tests is. */
export const TEST_PLUGIN = join(OUT, "pjrt_cpu_plugin.so");

/** Headers of libraries that XLA's own headers include, below its include folder. */
const DEPENDENCIES = [
  ...["external/com_google_protobuf", "external/highwayhash", "external/farmhash_archive/src"],
  "tensorflow/compiler",
];

/**
 * As the library itself was built: NDEBUG changes what its classes check of each other.
 */
const FLAGS = [
  ...["-std=c++17", "-O1", "-DNDEBUG", "-D_GLIBCXX_USE_CXX11_ABI=1", "-DEIGEN_MAX_ALIGN_BYTES=64"],
  ...["-fPIC", "-shared", "-fvisibility=hidden", "-w"],
];

/**
 * The addon over the PJRT C API.
 * @param {import("../setup/steps.mjs").Steps} steps
 */
export async function buildXlaAddon(steps) {
  requireCompiler();
  const { include } = await findXla(steps);
  const script = join(PACKAGE, "build.mjs");
  await steps.command("compile the PJRT addon", [process.execPath, script, headerFolder(include)]);
}

/**
 * A PJRT plugin for CPUs, for tests.
 * @param {import("../setup/steps.mjs").Steps} steps
 * @returns {Promise<string>} its file
 */
export async function buildTestPlugin(steps) {
  if (process.platform !== "linux") {
    throw new StepError(`the test plugin is built on Linux only, this is ${process.platform}`);
  }
  requireCompiler();
  const { include, lib } = await findXla(steps);
  const [plugin, stamp] = [TEST_PLUGIN, join(OUT, "built.sha256")];
  const source = join(SOURCES, "cpu-plugin.cc");
  const folders = [SOURCES, include, ...DEPENDENCIES.map((path) => join(include, path))];
  const libraries = ["libtensorflow_cc.so.2", "libtensorflow_framework.so.2"];
  const command = [
    ...[process.env.CXX || "g++", ...FLAGS, ...folders.map((folder) => `-I${folder}`), source],
    ...["-o", `${plugin}.tmp`, ...libraries.map((name) => join(lib, name)), `-Wl,-rpath,${lib}`],
  ];
  const hash = createHash("sha256").update(JSON.stringify(command)).update(readFileSync(source));
  const wanted = hash.digest("hex");
  if (existsSync(plugin) && existsSync(stamp) && readFileSync(stamp, "utf8") === wanted) {
    steps.note(`the test plugin is built (${relative(root, plugin)})`);
    return plugin;
  }
  mkdirSync(OUT, { recursive: true });
  await steps.command("compile the test plugin (a minute)", command);
  renameSync(`${plugin}.tmp`, plugin);
  writeFileSync(stamp, wanted);
  return plugin;
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? "").href) {
  const options = /** @type {const} */ ({ "test-plugin": { type: "boolean" } });
  await runTool("Building for the engine xla", async (steps) => {
    await buildXlaAddon(steps);
    if (parseArgs({ options }).values["test-plugin"]) {
      console.log(`XLA_PLUGIN=${await buildTestPlugin(steps)}`);
    }
    return 0;
  });
}

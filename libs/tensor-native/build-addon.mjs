// Compiles a Node-API addon of this repository with npm's own node-gyp, without any download.
import { spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync } from "node:fs";
import { renameSync, rmSync, statSync, writeFileSync } from "node:fs";
import { availableParallelism } from "node:os";
import { join } from "node:path";
import { findNodeDir, findNodeGyp } from "./node-gyp.mjs";

const LOCK_STALE_MS = 5 * 60_000;

/**
 * @typedef {object} Addon
 * @property {string} title what it is called in messages, such as "native engine"
 * @property {string} dir the package's folder, with `native/binding.gyp`; the addon goes to `build/`
 * @property {string} name of the gyp target: `build/<name>.node`
 * @property {readonly string[]} [gypArgs] such as `--name=value` for a variable of binding.gyp
 * @property {readonly string[]} [headers] files outside the folder that it is compiled with
 */

/**
 * Does nothing when the sources are those of the last build. Prints one line; sets exit code 1 when it fails.
 * @param {Addon} addon
 */
export async function buildAddon(addon) {
  try {
    console.log(await withLock(join(addon.dir, "build"), () => build(addon)));
  } catch (error) {
    console.error(error instanceof Error ? error.message : error);
    process.exitCode = 1;
  }
}

/** @param {Addon} addon */
async function build(addon) {
  const { title, dir, name } = addon;
  const [file, stamp] = [join(dir, "build", `${name}.node`), join(dir, "build", "sources.sha256")];
  const hash = sourcesHash(addon);
  if (existsSync(file) && existsSync(stamp) && readFileSync(stamp, "utf8") === hash) {
    return `${title}: up to date`;
  }
  const startedAt = Date.now();
  const { code, output } = await runNodeGyp(addon);
  if (code !== 0) throw new Error(`${output}\n${title} not built: ${explain(output)}`);
  // A new file by rename: processes that have the old one mapped keep it.
  cpSync(join(dir, "native", "build", "Release", `${name}.node`), `${file}.tmp`);
  renameSync(`${file}.tmp`, file);
  writeFileSync(stamp, hash);
  return `${title}: compiled in ${((Date.now() - startedAt) / 1000).toFixed(0)} s`;
}

/**
 * Everything the binary depends on; Node-API keeps it valid across Node versions.
 * @param {Addon} addon
 */
function sourcesHash({ dir, headers = [] }) {
  const hash = createHash("sha256").update(`${process.platform} ${process.arch}\n`);
  for (const file of filesUnder(join(dir, "native"))) {
    hash.update(file.slice(dir.length)).update(readFileSync(file));
  }
  for (const file of headers) hash.update(readFileSync(file));
  return hash.digest("hex");
}

/** @param {string} dir @returns {string[]} */
function filesUnder(dir) {
  const entries = readdirSync(dir, { withFileTypes: true });
  return entries
    .filter(({ name }) => name !== "build")
    .flatMap((entry) => {
      const path = join(dir, entry.name);
      return entry.isDirectory() ? filesUnder(path) : [path];
    })
    .sort();
}

/** @param {Addon} addon @returns {Promise<{ code: number, output: string }>} */
function runNodeGyp({ dir, gypArgs = [] }) {
  const nodeDir = findNodeDir();
  const jobs = `--jobs=${availableParallelism()}`;
  const args = [
    "configure",
    "build",
    "--release",
    jobs,
    ...(nodeDir ? [`--nodedir=${nodeDir}`] : []),
  ];
  return new Promise((resolve) => {
    const command = [findNodeGyp(), ...args, ...gypArgs];
    const child = spawn(process.execPath, command, { cwd: join(dir, "native") });
    let output = "";
    child.stdout.on("data", (chunk) => (output += chunk));
    child.stderr.on("data", (chunk) => (output += chunk));
    child.on("error", (error) => resolve({ code: 1, output: String(error) }));
    child.on("close", (code) => resolve({ code: code ?? 1, output }));
  });
}

/**
 * Two builds at once would write the same object files; the second waits and finds the work done.
 * @template T
 * @param {string} buildDir
 * @param {() => Promise<T>} action
 */
async function withLock(buildDir, action) {
  const lock = join(buildDir, "lock");
  mkdirSync(buildDir, { recursive: true });
  for (;;) {
    try {
      mkdirSync(lock);
      break;
    } catch {
      const ageMs = existsSync(lock) ? Date.now() - statSync(lock).mtimeMs : 0;
      if (ageMs > LOCK_STALE_MS) rmSync(lock, { recursive: true, force: true });
      else await new Promise((resolve) => setTimeout(resolve, 200));
    }
  }
  try {
    return await action();
  } finally {
    rmSync(lock, { recursive: true, force: true });
  }
}

/** @param {string} output */
function explain(output) {
  if (/could not find any python/i.test(output)) return "node-gyp needs Python 3";
  if (/not found: (make|g\+\+|c\+\+)|(make|g\+\+|c\+\+): not found|ENOENT.*make/i.test(output)) {
    return "no C++ compiler (Debian: apt install g++ make)";
  }
  if (/node_api\.h|headers|ENOTFOUND|EAI_AGAIN/i.test(output)) {
    return "Node's headers are missing; set npm_config_nodedir";
  }
  return "the compiler's messages are above";
}

#!/usr/bin/env node
// Compiles the addon with npm's own node-gyp, without any download: `node libs/tensor-native/build.mjs`, in other
// projects `npx stagecraft-build-native`.
// Does nothing when the sources are those of the last build. Quiet unless it fails; exit code 1 then.
import { spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync } from "node:fs";
import { renameSync, rmSync, statSync, writeFileSync } from "node:fs";
import { availableParallelism } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { findNodeDir, findNodeGyp } from "./node-gyp.mjs";

const here = dirname(fileURLToPath(import.meta.url));
const nativeDir = join(here, "native");
const buildDir = join(here, "build");
const addon = join(buildDir, "stagecraft_native.node");
const stamp = join(buildDir, "sources.sha256");
const LOCK_STALE_MS = 5 * 60_000;

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

/** Everything the binary depends on; Node-API keeps it valid across Node versions. */
function sourcesHash() {
  const hash = createHash("sha256").update(`${process.platform} ${process.arch}\n`);
  for (const file of filesUnder(nativeDir)) {
    hash.update(file.slice(here.length)).update(readFileSync(file));
  }
  return hash.digest("hex");
}

function isCurrent() {
  return existsSync(addon) && existsSync(stamp) && readFileSync(stamp, "utf8") === sourcesHash();
}

/** @param {string[]} args @returns {Promise<{ code: number, output: string }>} */
function runNodeGyp(args) {
  return new Promise((resolve) => {
    const child = spawn(process.execPath, [findNodeGyp(), ...args], { cwd: nativeDir });
    let output = "";
    child.stdout.on("data", (chunk) => (output += chunk));
    child.stderr.on("data", (chunk) => (output += chunk));
    child.on("error", (error) => resolve({ code: 1, output: String(error) }));
    child.on("close", (code) => resolve({ code: code ?? 1, output }));
  });
}

/** Two builds at once would write the same object files; the second waits and finds the work done. */
async function withLock(action) {
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

async function build() {
  if (isCurrent()) return "native engine: up to date";
  const startedAt = Date.now();
  const hash = sourcesHash();
  const nodeDir = findNodeDir();
  const args = ["configure", "build", "--release", `--jobs=${availableParallelism()}`];
  const { code, output } = await runNodeGyp(nodeDir ? [...args, `--nodedir=${nodeDir}`] : args);
  if (code !== 0) throw new Error(`${output}\n${explain(output)}`);
  // A new file by rename: processes that have the old one mapped keep it.
  cpSync(join(nativeDir, "build", "Release", "stagecraft_native.node"), `${addon}.tmp`);
  renameSync(`${addon}.tmp`, addon);
  writeFileSync(stamp, hash);
  return `native engine: compiled in ${((Date.now() - startedAt) / 1000).toFixed(0)} s`;
}

/** @param {string} output */
function explain(output) {
  if (/could not find any python/i.test(output))
    return "native engine not built: node-gyp needs Python 3";
  if (/not found: (make|g\+\+|c\+\+)|(make|g\+\+|c\+\+): not found|ENOENT.*make/i.test(output)) {
    return "native engine not built: no C++ compiler (Debian: apt install g++ make)";
  }
  if (/node_api\.h|headers|ENOTFOUND|EAI_AGAIN/i.test(output)) {
    return "native engine not built: Node's headers are missing; set npm_config_nodedir";
  }
  return "native engine not built: the compiler's messages are above";
}

try {
  console.log(await withLock(build));
} catch (error) {
  console.error(error instanceof Error ? error.message : error);
  process.exitCode = 1;
}

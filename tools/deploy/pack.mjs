// Lays out what one service needs at run time, and nothing else:
// `node tools/deploy/pack.mjs --out DIR [NAME…]`; NAME is a service's folder or `cli`. Run it in a
// built repository. Takes production dependencies from node_modules as npm laid them out.
import { cpSync, existsSync, mkdirSync, readFileSync, realpathSync } from "node:fs";
import { rmSync, symlinkSync } from "node:fs";
import { basename, dirname, join, relative, resolve, sep } from "node:path";
import { pathToFileURL } from "node:url";
import { parseArgs } from "node:util";
import { root } from "../setup/main.mjs";

/** What can be packed, and the project each stands for. */
export const PACKABLE = /** @type {const} */ ({
  policy: "services/policy",
  "reward-model": "services/reward-model",
  rollout: "services/rollout",
  trainer: "services/trainer",
  gateway: "services/gateway",
  cli: "libs/cli",
});

/** Of our own projects only these go along. */
const OWN_PARTS = ["package.json", "dist", "bin", "build"];
const NEEDLESS = /\.(map|md|markdown|flow|tsbuildinfo|html|[cm]?ts|o|d|sha256)$/i;
const NEEDLESS_FOLDERS = new Set(["test", "tests", "__tests__", "docs", "example", "examples"]);

/** Declared by TFJS, loaded only by its builds for old browsers: 14 MB of polyfills. */
const NEVER_LOADED = new Set(["core-js"]);

/**
 * Copies a project, the projects it depends on and their packages to `out`, which then runs without
 * the repository: everything at its usual place, our own projects linked into node_modules.
 * @param {{ from: string, project: string, out: string }} options `project` relative to `from`
 * @returns {string[]} what was packed, relative to `out`
 */
export function packProject({ from, project, out }) {
  rmSync(out, { recursive: true, force: true });
  const base = realpathSync(from);
  const packed = [...dependencyClosure(join(base, project))].map((directory) => {
    const place = relative(base, directory);
    const own = !place.split(sep).includes("node_modules");
    copyPackage(directory, join(out, place), own);
    if (own) linkProject(out, place, String(readManifest(directory).name));
    return place;
  });
  return packed.sort();
}

/**
 * @param {string} out
 * @param {string} place
 * @param {string} name
 */
function linkProject(out, place, name) {
  const link = join(out, "node_modules", name);
  mkdirSync(dirname(link), { recursive: true });
  symlinkSync(relative(dirname(link), join(out, place)), link);
}

/**
 * The real folders of a package and everything it needs in production, found as Node would.
 * @param {string} start
 * @returns {Set<string>}
 */
function dependencyClosure(start) {
  const found = new Set([start]);
  for (const directory of found) {
    const { dependencies = {}, optionalDependencies = {} } = readManifest(directory);
    for (const name of Object.keys({ ...dependencies, ...optionalDependencies })) {
      if (name.startsWith("@types/") || NEVER_LOADED.has(name)) continue;
      const dependency = findPackage(directory, name);
      if (dependency) found.add(dependency);
      else if (!(name in optionalDependencies)) {
        throw new Error(`${directory}/package.json: ${name} is not installed; run npm ci first`);
      }
    }
  }
  return found;
}

/**
 * @param {string} directory
 * @param {string} name
 * @returns {string | undefined}
 */
function findPackage(directory, name) {
  for (let at = directory; ; at = dirname(at)) {
    const candidate = join(at, "node_modules", name);
    if (existsSync(join(candidate, "package.json"))) return realpathSync(candidate);
    if (at === dirname(at)) return undefined;
  }
}

/**
 * @param {string} source
 * @param {string} target
 * @param {boolean} own
 */
function copyPackage(source, target, own) {
  mkdirSync(target, { recursive: true });
  const filter = (/** @type {string} */ path) => path === source || isNeeded(path, source, own);
  cpSync(source, target, { recursive: true, filter });
}

/**
 * @param {string} path
 * @param {string} source
 * @param {boolean} own
 */
function isNeeded(path, source, own) {
  const parts = relative(source, path).split(sep);
  if (parts.includes("node_modules")) return false; // each package is copied by itself
  if (own && !OWN_PARTS.includes(String(parts[0]))) return false;
  if (own && parts[0] === "dist" && parts[1] === "web") return true; // pages, as the browser gets them
  if (NEEDLESS.test(path) || NEEDLESS_FOLDERS.has(basename(path))) return isLicense(path);
  return !isTfjs(source) || isTfjsPart(parts);
}

/** @param {string} path */
function isLicense(path) {
  return /^(licen[cs]e|notice|copying)/i.test(basename(path));
}

/** @param {string} source */
function isTfjs(source) {
  return readManifest(source).name?.startsWith("@tensorflow/tfjs") ?? false;
}

/**
 * TFJS ships each package six times over; Node loads `main`, one file for all of it.
 * @param {readonly string[]} parts
 */
function isTfjsPart(parts) {
  const [first = "", second] = parts;
  if (first === "dist") return parts.length === 1 || (second ?? "").endsWith(".node.js");
  return first === "package.json" || isLicense(first);
}

/**
 * @param {string} directory
 * @returns {{ name?: string, dependencies?: Record<string, string>, optionalDependencies?: Record<string, string> }}
 */
function readManifest(directory) {
  return JSON.parse(readFileSync(join(directory, "package.json"), "utf8"));
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? "").href) {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: { out: { type: "string" } },
  });
  const names = positionals.length > 0 ? positionals : Object.keys(PACKABLE);
  for (const name of names) {
    const project = PACKABLE[/** @type {keyof typeof PACKABLE} */ (name)];
    if (!project || !values.out) throw new Error("usage: pack.mjs --out DIR [NAME…]");
    const packed = packProject({ from: root, project, out: join(resolve(values.out), name) });
    console.log(`${name}: ${packed.length} packages`);
  }
}

// What a published package holds: the built code with its types, README, licence, and a package.json
// without what only the repository needs.
import { cpSync, existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";

/** The command is published under the project's own name. */
const NAMES = new Map([["@stagecraft/cli", "stagecraft"]]);

/** Where the packages that others use begin; what these depend on is published too. */
const ENTRIES = ["@stagecraft/cli", "@stagecraft/client"];

const PARTS = [
  "dist",
  "bin",
  "README.md",
  "native",
  "build.mjs",
  "build-addon.mjs",
  "node-gyp.mjs",
];
const NEEDLESS = /\.(map|tsbuildinfo)$|\/native\/build(\/|$)/;

/**
 * @typedef {object} Manifest
 * @property {string} name
 * @property {string} version
 * @property {string} type
 * @property {string} license
 * @property {string} description
 * @property {Record<string, string>} [bin]
 * @property {{ ".": { types: string, default: string } }} exports
 * @property {Record<string, string>} [dependencies]
 * @property {Record<string, unknown>} [peerDependencies]
 * @property {Record<string, unknown>} [peerDependenciesMeta]
 */

/**
 * The projects to publish, by package name.
 * @param {string} root
 * @param {readonly { dir: string }[]} projects of the repository
 * @returns {Map<string, { dir: string, manifest: Manifest }>}
 */
export function publishable(root, projects) {
  const all = new Map(
    projects.map(({ dir }) => {
      const manifest = readManifest(join(root, dir));
      return [manifest.name, { dir, manifest }];
    }),
  );
  const found = new Set(ENTRIES);
  for (const name of found) {
    for (const dependency of Object.keys(all.get(name)?.manifest.dependencies ?? {})) {
      if (all.has(dependency)) found.add(dependency);
    }
  }
  return new Map([...all].filter(([name]) => found.has(name)));
}

/**
 * The package.json that goes out: no scripts, no workspace ranges, no condition that names sources.
 * @param {Manifest} manifest
 * @param {{ version: string, engines: unknown, ours: ReadonlySet<string> }} options `version` of all
 */
export function publishedManifest(manifest, { version, engines, ours }) {
  const { type, license, description, bin, peerDependencies, peerDependenciesMeta } = manifest;
  const { types, default: main } = manifest.exports["."];
  const dependencies = Object.entries(manifest.dependencies ?? {}).map(([name, range]) =>
    ours.has(name) ? [name, version] : [name, range],
  );
  return {
    name: NAMES.get(manifest.name) ?? manifest.name,
    ...{ version, type, license, description, engines },
    ...(bin ? { bin } : {}),
    exports: { ".": { types, default: main }, "./package.json": "./package.json" },
    dependencies: Object.fromEntries(dependencies),
    ...(peerDependencies ? { peerDependencies, peerDependenciesMeta } : {}),
  };
}

/**
 * Lays a package out in a folder of its own, ready for `npm pack`.
 * @param {{ root: string, dir: string, out: string, manifest: object }} options
 */
export function stagePackage({ root, dir, out, manifest }) {
  const from = join(root, dir);
  if (!existsSync(join(from, "dist"))) throw new Error(`${dir} is not built; run npm run setup`);
  mkdirSync(out, { recursive: true });
  for (const part of PARTS.filter((name) => existsSync(join(from, name)))) {
    const filter = (/** @type {string} */ path) => !NEEDLESS.test(path);
    cpSync(join(from, part), join(out, part), { recursive: true, filter });
  }
  cpSync(join(root, "LICENSE"), join(out, "LICENSE"));
  writeFileSync(join(out, "package.json"), `${JSON.stringify(manifest, null, 2)}\n`);
}

/**
 * @param {string} dir
 * @returns {Manifest}
 */
function readManifest(dir) {
  return JSON.parse(readFileSync(join(dir, "package.json"), "utf8"));
}

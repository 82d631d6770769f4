// Packs `stagecraft`, the client library and everything they need into tarballs for `npm install`:
// `npm run pack [-- --out DIR]`, default dist/packages.
import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { parseArgs } from "node:util";
import { readProjects } from "../module-boundaries.mjs";
import { root } from "../setup/main.mjs";
import { publishable, publishedManifest, stagePackage } from "./stage.mjs";

/**
 * @param {string} out folder for the tarballs
 * @returns {string[]} their paths
 */
export function packPackages(out) {
  const stage = mkdtempSync(join(tmpdir(), "stagecraft-pack-"));
  mkdirSync(out, { recursive: true });
  try {
    const folders = stageAll(stage);
    const flags = ["--pack-destination", out, "--ignore-scripts", "--json", "--loglevel=error"];
    const output = execFileSync("npm", ["pack", ...flags, ...folders], {
      encoding: "utf8",
      maxBuffer: 2 ** 26,
    });
    /** @type {{ filename: string }[]} */
    const packed = JSON.parse(output);
    return packed.map(({ filename }) => join(out, filename));
  } finally {
    rmSync(stage, { recursive: true, force: true });
  }
}

/**
 * @param {string} stage
 * @returns {string[]} one folder a package
 */
function stageAll(stage) {
  const { version, engines } = JSON.parse(readFileSync(join(root, "package.json"), "utf8"));
  const packages = publishable(root, readProjects(root));
  const ours = new Set(packages.keys());
  return [...packages.values()].map(({ dir, manifest }) => {
    const out = join(stage, dir);
    const published = publishedManifest(manifest, { version, engines, ours });
    stagePackage({ root, dir, out, manifest: published });
    return out;
  });
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? "").href) {
  const { values } = parseArgs({ options: { out: { type: "string", default: "dist/packages" } } });
  const out = resolve(values.out);
  const packed = packPackages(out);
  console.log(packed.join("\n"));
  console.log(`${packed.length} packages; in a project of yours: npm install ${out}/*.tgz`);
}

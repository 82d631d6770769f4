// `node services/gateway/web/build.mjs`: the pages into services/gateway/dist/web. A stamp of what went
// in makes a second run do nothing.
import { createHash } from "node:crypto";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { renameSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { CHART_CSS, THEME_CSS } from "@stagecraft/core";
import { SHARED_SCRIPTS } from "./shared.mjs";

const web = import.meta.dirname;
const out = join(web, "..", "dist", "web");
const stampFile = join(out, ".stamp");

/** Packages whose code ends up in the pages, or makes them. */
const PACKAGES = ["preact", "micromark", "uplot", "vite"];

/** What the built pages depend on: every file here but tests, what reports share, the packages' versions. */
function stampOfPages() {
  const hash = createHash("sha256").update(THEME_CSS).update(CHART_CSS);
  for (const { source } of Object.values(SHARED_SCRIPTS)) hash.update(readFileSync(source));
  const files = readdirSync(web, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && !/\.test\.tsx?$|\.md$/.test(entry.name))
    .map((entry) => join(entry.parentPath, entry.name))
    .sort();
  for (const file of files) hash.update(file.slice(web.length)).update(readFileSync(file));
  for (const name of PACKAGES) hash.update(`${name}@${packageVersion(name)}`);
  return hash.digest("hex");
}

/**
 * A package's version, found without its `exports`, which may hide package.json.
 * @param {string} name
 */
function packageVersion(name) {
  for (const folder of createRequire(import.meta.url).resolve.paths(name) ?? []) {
    const file = join(folder, name, "package.json");
    if (existsSync(file)) return String(JSON.parse(readFileSync(file, "utf8")).version);
  }
  throw new Error(`${name} is not installed; run npm ci, then this again`);
}

/** Whether the pages there are made of the sources here. */
export function pagesAreFresh(stamp = stampOfPages()) {
  return existsSync(stampFile) && readFileSync(stampFile, "utf8") === stamp;
}

/** Builds the pages unless they are fresh; resolves with whether it did. */
export async function buildPages() {
  const stamp = stampOfPages();
  if (pagesAreFresh(stamp)) return false;
  const { build } = await import("vite");
  const outDir = `${out}-${process.pid}`; // moved when whole: nobody is sent half of the pages
  await build({
    configFile: join(web, "vite.config.mjs"),
    logLevel: "warn",
    build: { outDir, emptyOutDir: true },
  });
  writeFileSync(join(outDir, ".stamp"), stamp);
  rmSync(out, { recursive: true, force: true });
  renameSync(outDir, out);
  return true;
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? "").href) {
  const built = await buildPages();
  process.stdout.write(built ? "pages built\n" : "pages are fresh\n");
}

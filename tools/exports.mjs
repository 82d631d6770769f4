// What the packages export and who uses it: the rule of tools/unused-exports.test.ts.
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join, relative } from "node:path";

const SKIPPED = new Set(["node_modules", "dist", "build", "gen"]);
const CODE = /\.(ts|tsx|mts|mjs|js)$/;
const GROUPS = ["libs", "services", "examples", "bench", "deploy", "tools"];

/**
 * @typedef {object} SourceFile
 * @property {string} path relative to the root
 * @property {string} text
 * @property {Set<string>} words
 */

/**
 * Every source file of the repository, what is generated excepted.
 * @param {string} root
 * @returns {SourceFile[]}
 */
export function readSources(root) {
  return GROUPS.flatMap((group) => filesUnder(join(root, group))).map((path) => {
    const text = readFileSync(path, "utf8");
    return { path: relative(root, path), text, words: wordsOf(text) };
  });
}

/**
 * @param {string} dir
 * @returns {string[]}
 */
function filesUnder(dir) {
  if (!existsSync(dir)) return [];
  return readdirSync(dir, { withFileTypes: true }).flatMap((entry) => {
    if (SKIPPED.has(entry.name) || entry.name.startsWith(".")) return [];
    const path = join(dir, entry.name);
    if (entry.isDirectory()) return filesUnder(path);
    return CODE.test(entry.name) ? [path] : [];
  });
}

/**
 * @param {string} text
 * @returns {Set<string>}
 */
function wordsOf(text) {
  return new Set(text.match(/\w+/g) ?? []);
}

/**
 * The functions, constants and classes that a file declares and exports. Its types belong to their
 * signatures and may stay.
 * @param {string} text
 * @returns {string[]}
 */
export function declaredValues(text) {
  const declaration =
    /^export (?:async )?(?:abstract )?(?:function\*?|const|let|class|enum) (\w+)/gm;
  return [...text.matchAll(declaration)].map((match) => match[1] ?? "");
}

/**
 * What an index passes on, statement by statement.
 * @param {string} text
 * @returns {{ name: string, isType: boolean }[][]}
 */
export function passedOn(text) {
  const lists = text.matchAll(/^export (type )?(?:\{([^}]*)\}|\* as (\w+))/gm);
  return [...lists].map(([, type, list, space]) =>
    (space ?? list ?? "")
      .split(",")
      .map((entry) => entry.trim())
      .filter(Boolean)
      .map((entry) => ({
        name:
          entry
            .replace(/^type /, "")
            .split(" as ")
            .at(-1) ?? "",
        isType: type !== undefined || entry.startsWith("type "),
      })),
  );
}

/**
 * Exports of a package's `src/index.ts` that nobody outside names: no file that names the package by its
 * name or its folder, none of its own tests that import the index, and not its README. A type stays
 * beside something of the same module that is used: it belongs to its signature.
 * @param {string} root
 * @param {{ dir: string, name: string }} project
 * @param {readonly SourceFile[]} sources
 * @returns {string[]}
 */
export function unusedOfIndex(root, { dir, name }, sources) {
  const index = sources.find(({ path }) => path === `${dir}/src/index.ts`);
  if (index === undefined) return [];
  const ways = [`@stagecraft/${name}"`, `${dir}/dist/`, `${dir}/src/`];
  const ownIndex = /from "(\.\.?\/)+(src\/)?index\.js"/;
  const users = sources.filter(
    ({ path, text }) =>
      path !== index.path &&
      (ways.some((way) => text.includes(way)) ||
        (path.startsWith(`${dir}/`) && ownIndex.test(text))),
  );
  const readme = join(root, dir, "README.md");
  const shown = wordsOf(existsSync(readme) ? readFileSync(readme, "utf8") : "");
  const isUsed = (/** @type {string} */ word) =>
    shown.has(word) || users.some(({ words }) => words.has(word));
  return passedOn(index.text).flatMap((module) => {
    const isAnyUsed = module.some((entry) => isUsed(entry.name));
    const unused = module.filter((entry) => !(entry.isType ? isAnyUsed : isUsed(entry.name)));
    return unused.map((entry) => entry.name);
  });
}

/**
 * Values that the package's files export and no other file of it names, as `FILE: NAME`; scripts for
 * browsers (`.js`) meet on a page instead.
 * @param {{ dir: string }} project
 * @param {readonly SourceFile[]} sources
 * @returns {string[]}
 */
export function unusedOfFiles({ dir }, sources) {
  const own = sources.filter(({ path }) => path.startsWith(`${dir}/`));
  const elsewhere = sources.filter(
    ({ path, text }) => !path.startsWith(`${dir}/`) && text.includes(`${dir}/`),
  );
  return own
    .filter(({ path }) => !path.endsWith(".js"))
    .flatMap((file) => {
      const others = [...own.filter((other) => other !== file), ...elsewhere];
      const unused = declaredValues(file.text).filter(
        (word) => !others.some(({ words }) => words.has(word)),
      );
      return unused.map((word) => `${file.path}: ${word}`);
    });
}

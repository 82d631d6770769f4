// The licences of everything that package-lock.json names, against what we may build on. `npm run all`
// asks; `npm run licences` alone.
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";

/** Licences that ask for no more than their text. */
export const ALLOWED = [
  ...["0BSD", "Apache-2.0", "BlueOak-1.0.0", "BSD-2-Clause", "BSD-3-Clause", "CC0-1.0", "ISC"],
  ...["MIT", "Python-2.0", "Unlicense"],
];

/**
 * Packages with another licence, and why they may stay. `devOnly`: only as long as no image holds them.
 * @type {readonly { pattern: RegExp, licence: string, devOnly: boolean, reason: string }[]}
 */
export const EXCEPTIONS = [
  {
    pattern: /^lightningcss(-|$)/,
    licence: "MPL-2.0",
    devOnly: true,
    reason: "part of vite, which vitest runs on; unchanged, for development only",
  },
  {
    pattern: /^axe-core$/,
    licence: "MPL-2.0",
    devOnly: true,
    reason: "the check of pages for people with disabilities; unchanged, run by tests alone",
  },
];

/**
 * @typedef {object} Package
 * @property {string} name
 * @property {string} version
 * @property {string} licence an SPDX expression; empty when it names none
 * @property {boolean} isDev no image holds it
 */

/**
 * What is installed from outside: our own packages are links.
 * @param {string} root
 * @returns {Package[]}
 */
export function lockedPackages(root) {
  const { packages } = JSON.parse(readFileSync(join(root, "package-lock.json"), "utf8"));
  return Object.entries(packages)
    .filter(([path, entry]) => path.includes("node_modules/") && !entry.link)
    .map(([path, entry]) => ({
      name: entry.name ?? path.slice(path.lastIndexOf("node_modules/") + "node_modules/".length),
      version: entry.version,
      licence: entry.license ?? installedLicence(join(root, path)),
      isDev: entry.dev === true || entry.devOptional === true,
    }));
}

/** @param {string} folder */
function installedLicence(folder) {
  const file = join(folder, "package.json");
  if (!existsSync(file)) return "";
  const { license } = JSON.parse(readFileSync(file, "utf8"));
  return typeof license === "string" ? license : "";
}

/**
 * One line for each package that must not be there, and for each exception that nobody needs any more.
 * @param {readonly Package[]} packages
 * @returns {string[]}
 */
export function licenceProblems(packages) {
  /** @type {Set<object>} */
  const used = new Set();
  const problems = packages.flatMap(({ name, version, licence, isDev }) => {
    if (isAllowed(licence)) return [];
    const exception = EXCEPTIONS.find(
      (each) => each.pattern.test(name) && each.licence === licence,
    );
    if (!exception) {
      return `${name}@${version}: licence ${licence || "unknown"} is not on the list; take another package, or add an exception with its reason to tools/supply/licences.mjs`;
    }
    used.add(exception);
    if (isDev || !exception.devOnly) return [];
    return `${name}@${version}: ${licence} is an exception for development only, and an image would hold it`;
  });
  const unused = EXCEPTIONS.filter((exception) => !used.has(exception));
  return [
    ...problems,
    ...unused.map(({ pattern }) => `the exception for ${pattern.source} is not needed any more`),
  ];
}

/**
 * An SPDX expression of names, AND, OR and brackets: OR leaves the choice to us, AND asks for both.
 * @param {string} expression
 * @returns {boolean}
 */
export function isAllowed(expression) {
  const text = expression.trim();
  const either = splitOutside(text, " OR ");
  if (either.length > 1) return either.some(isAllowed);
  const both = splitOutside(text, " AND ");
  if (both.length > 1) return both.every(isAllowed);
  if (text.startsWith("(") && text.endsWith(")")) return isAllowed(text.slice(1, -1));
  return ALLOWED.includes(text);
}

/**
 * @param {string} text
 * @param {string} word
 * @returns {string[]}
 */
function splitOutside(text, word) {
  /** @type {string[]} */
  const parts = [];
  let depth = 0;
  let start = 0;
  for (let i = 0; i < text.length; i++) {
    if (text[i] === "(") depth++;
    else if (text[i] === ")") depth--;
    else if (depth === 0 && text.startsWith(word, i)) {
      parts.push(text.slice(start, i));
      start = i + word.length;
    }
  }
  return [...parts, text.slice(start)];
}

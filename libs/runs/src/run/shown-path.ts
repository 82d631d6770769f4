import { isAbsolute, relative, resolve, sep } from "node:path";

/**
 * A path as a model that travels may show it: from the working directory where it lies below that,
 * otherwise its last two parts. Where people keep their files is nobody else's business; what a file
 * was is told by its hash.
 */
export function shownPath(path: string, from = process.cwd()): string {
  const below = relative(from, resolve(from, path));
  if (below !== ".." && !below.startsWith(`..${sep}`) && !isAbsolute(below)) {
    return isAbsolute(path) ? below || "." : path;
  }
  const parts = resolve(from, path)
    .split(sep)
    .filter((part) => part !== "");
  return `…/${parts.slice(parts.length > 2 ? -2 : -1).join("/")}`;
}

/** A configuration whose absolute paths are shown so, lists and nested values included. */
export function withShownPaths<T>(value: T): T {
  if (typeof value === "string") return (isPath(value) ? shownPath(value) : value) as T;
  if (Array.isArray(value)) return value.map((each: unknown) => withShownPaths(each)) as T;
  if (value === null || typeof value !== "object") return value;
  const entries = Object.entries(value).map(([key, each]) => [key, withShownPaths(each)]);
  return Object.fromEntries(entries) as T;
}

const isPath = (text: string) =>
  (isAbsolute(text) || text.startsWith(`..${sep}`)) && !text.includes("\n");

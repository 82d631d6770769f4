import { isAbsolute, relative, sep } from "node:path";

/**
 * A path as a model that travels may show it: from the working directory where it lies below that,
 * otherwise its last two parts. Where people keep their files is nobody else's business; what a file
 * was is told by its hash.
 */
export function shownPath(path: string, from = process.cwd()): string {
  if (!isAbsolute(path)) return path;
  const below = relative(from, path);
  if (below !== "" && below !== ".." && !below.startsWith(`..${sep}`) && !isAbsolute(below)) {
    return below;
  }
  const parts = path.split(sep).filter((part) => part !== "");
  return parts.length > 2 ? `…/${parts.slice(-2).join("/")}` : path;
}

/** A configuration whose absolute paths are shown so, lists and nested values included. */
export function withShownPaths<T>(value: T): T {
  if (typeof value === "string") return (isPath(value) ? shownPath(value) : value) as T;
  if (Array.isArray(value)) return value.map((each: unknown) => withShownPaths(each)) as T;
  if (value === null || typeof value !== "object") return value;
  const entries = Object.entries(value).map(([key, each]) => [key, withShownPaths(each)]);
  return Object.fromEntries(entries) as T;
}

const isPath = (text: string) => isAbsolute(text) && !text.includes("\n");

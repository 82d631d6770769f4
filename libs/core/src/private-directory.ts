import { lstatSync, mkdirSync } from "node:fs";

/**
 * Makes a folder that nobody else can write, or says why the one that is there is none: what is found in
 * such a folder is run or loaded as if this user had written it.
 */
export function privateDirectoryProblem(dir: string): string | undefined {
  mkdirSync(dir, { recursive: true, mode: 0o700 });
  const entry = lstatSync(dir);
  if (!entry.isDirectory()) return "is no directory";
  const own = process.getuid?.();
  if (own === undefined) return undefined; // no such users, as on Windows
  if (entry.uid !== own) return "belongs to another user";
  return (entry.mode & 0o022) === 0 ? undefined : "can be written by others";
}

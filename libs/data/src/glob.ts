import { dirname, join, normalize } from "node:path";

/** Whether a path is a pattern of names. */
export function hasPattern(path: string): boolean {
  return /[*?]/.test(path);
}

/** The folder above the first part of a pattern that is not a plain name. */
export function rootOf(pattern: string): string {
  let root = pattern;
  while (hasPattern(root)) root = dirname(root);
  return root;
}

/** What tells whether a path under `rootOf(pattern)` fits: `*` and `?` inside of a name, `**` any folders. */
export function matcherOf(pattern: string): (path: string) => boolean {
  const parts = normalize(pattern).split("/");
  const source = parts
    .map((part, i) => {
      const isLast = i === parts.length - 1;
      if (part === "**") return isLast ? ".*" : "(?:[^/]+/)*";
      return nameSource(part) + (isLast ? "" : "/");
    })
    .join("");
  const expression = new RegExp(`^${source}$`);
  return (path) => expression.test(join(path));
}

function nameSource(part: string): string {
  return part
    .replace(/[.+^${}()|[\]\\]/g, "\\$&")
    .replaceAll("*", "[^/]*")
    .replaceAll("?", "[^/]");
}

/** Paths and URLs in a stage's configuration, where models stand as `PATH` or `NAME=PATH`. */

/** The path or URL in `PATH` or `NAME=PATH`. */
export const pathIn = (text: string): string => text.replace(/^[^:/=]+=/, "");

/** Whatever could be one, each once. */
export function pathsOf(config: unknown): string[] {
  const values = Object.values(config as object).flat() as unknown[];
  return [...new Set(values.filter((value) => typeof value === "string").map(pathIn))];
}

/** The configuration with directories in the place of what they were brought or made for. */
export function withPaths<C>(config: C, dirs: ReadonlyMap<string, string>): C {
  const change = (value: unknown): unknown => {
    if (Array.isArray(value)) return value.map(change);
    const path = typeof value === "string" ? pathIn(value) : "";
    const dir = dirs.get(path);
    return dir === undefined ? value : `${(value as string).slice(0, -path.length)}${dir}`;
  };
  const entries = Object.entries(config as object).map(([name, value]) => [name, change(value)]);
  return Object.fromEntries(entries) as C;
}

import { readdirSync, readFileSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { readProjects } from "./module-boundaries.mjs";

const root = fileURLToPath(new URL("..", import.meta.url));

const IMPORT = /^(?:import|export)\s[^;]*?from\s+"(\.[^"]+)\.js"/gm;

/** Imports between a package's own sources, those of types included. */
function readGraph(sourceDir: string): Map<string, string[]> {
  const files = readdirSync(sourceDir, { recursive: true, encoding: "utf8" })
    .filter(
      (file) => file.endsWith(".ts") && !file.endsWith(".test.ts") && !file.startsWith("gen/"),
    )
    .map((file) => join(sourceDir, file));
  return new Map(
    files.map((file) => [
      file,
      [...readFileSync(file, "utf8").matchAll(IMPORT)].map(
        ([, path]) => `${join(dirname(file), path!)}.ts`,
      ),
    ]),
  );
}

/** The first cycle found, as a list of files that starts and ends with the same one. */
function findCycle(graph: ReadonlyMap<string, readonly string[]>): string[] | undefined {
  const finished = new Set<string>();
  const visit = (file: string, path: readonly string[]): string[] | undefined => {
    if (path.includes(file)) return [...path.slice(path.indexOf(file)), file];
    if (finished.has(file)) return undefined;
    for (const next of graph.get(file) ?? []) {
      const cycle = visit(next, [...path, file]);
      if (cycle) return cycle;
    }
    finished.add(file);
    return undefined;
  };
  for (const file of graph.keys()) {
    const cycle = visit(file, []);
    if (cycle) return cycle;
  }
  return undefined;
}

describe("imports inside a package", () => {
  it("finds a cycle where there is one", () => {
    const graph = new Map([
      ["a", ["b"]],
      ["b", ["c"]],
      ["c", ["b"]],
    ]);
    expect(findCycle(graph)).toEqual(["b", "c", "b"]);
  });

  for (const { dir } of readProjects(root)) {
    it(`has no cycle in ${dir}`, () => {
      const cycle = findCycle(readGraph(join(root, dir, "src")));
      expect(cycle?.map((file) => relative(root, file))).toBeUndefined();
    });
  }
});

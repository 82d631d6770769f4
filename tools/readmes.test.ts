import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { readProjects } from "./module-boundaries.mjs";

const root = join(import.meta.dirname, "..");
const MAX_LINES = 40;

describe("READMEs of the libraries", () => {
  for (const { dir } of readProjects(root).filter((project) => project.dir.startsWith("libs/"))) {
    it(`${dir} says in ${MAX_LINES} lines at most what it is, what it never does, where to start`, () => {
      const file = join(root, dir, "README.md");
      expect(existsSync(file)).toBe(true);
      const text = readFileSync(file, "utf8");
      expect(text.trimEnd().split("\n").length).toBeLessThanOrEqual(MAX_LINES);
      expect(text).toMatch(/\bnever\b|holds no/i);
      expect(text).toMatch(/\bstart\b/i);
    });
  }
});

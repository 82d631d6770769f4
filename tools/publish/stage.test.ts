import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { readProjects } from "../module-boundaries.mjs";
import { publishable, publishedManifest, stagePackage } from "./stage.mjs";

const root = join(import.meta.dirname, "..", "..");
const packages = publishable(root, readProjects(root));
const options = { version: "1.2.3", engines: { node: ">=20" }, ours: new Set(packages.keys()) };
const out = mkdtempSync(join(tmpdir(), "stagecraft-stage-"));
afterAll(() => rmSync(out, { recursive: true }));

describe("published packages", () => {
  it("are the command, the client library and what they need, no test tools", () => {
    const names = [...packages.keys()];
    expect(names).toEqual(expect.arrayContaining(["@stagecraft/cli", "@stagecraft/client"]));
    expect(names).not.toContain("@stagecraft/testing");
    expect(names).not.toContain("@stagecraft/faults");
  });

  for (const [name, { dir, manifest }] of packages) {
    it(`${name} stands without the repository`, () => {
      const published = publishedManifest(manifest, options);
      const folder = join(out, dir);
      stagePackage({ root, dir, out: folder, manifest: published });
      const { types, default: main } = published.exports["."];
      for (const file of [types, main, "LICENSE", "README.md"]) {
        expect(existsSync(join(folder, file)), file).toBe(true);
      }
      const text = readFileSync(join(folder, "package.json"), "utf8");
      expect(text).not.toMatch(/@stagecraft\/source|"\*"|"private"|"scripts"/);
      for (const file of Object.values(published.bin ?? {})) {
        expect(readFileSync(join(folder, file), "utf8")).toMatch(/^#!\/usr\/bin\/env node\n/);
      }
    });
  }
});

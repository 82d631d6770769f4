import { existsSync, mkdirSync, mkdtempSync, realpathSync, rmSync } from "node:fs";
import { symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { packProject } from "./pack.mjs";

describe("packProject()", () => {
  let from: string;
  let out: string;
  beforeEach(() => {
    from = realpathSync(mkdtempSync(join(tmpdir(), "stagecraft-pack-")));
    out = join(from, "out");
    project("services/a", { "@stagecraft/b": "*", left: "1" });
    project("libs/b", { right: "1" });
    external("node_modules/left", { name: "left", dependencies: { deep: "1" } });
    external("node_modules/left/node_modules/deep", { name: "deep" });
    external("libs/b/node_modules/right", { name: "right", optionalDependencies: { gone: "1" } });
    external("node_modules/never", { name: "never" });
  });
  afterEach(() => rmSync(from, { recursive: true, force: true }));

  const write = (path: string, text = "") => {
    mkdirSync(dirname(join(from, path)), { recursive: true });
    writeFileSync(join(from, path), text);
  };
  const external = (path: string, manifest: object) => {
    write(`${path}/package.json`, JSON.stringify(manifest));
    for (const file of ["index.js", "index.d.ts", "index.js.map", "LICENSE.md", "test/t.js"]) {
      write(`${path}/${file}`);
    }
  };
  function project(path: string, dependencies: object) {
    const name = `@stagecraft/${path.split("/")[1]}`;
    const devDependencies = { never: "1" };
    write(`${path}/package.json`, JSON.stringify({ name, dependencies, devDependencies }));
    for (const file of ["dist/main.js", "dist/main.js.map", "src/main.ts", "README.md"]) {
      write(`${path}/${file}`);
    }
    const link = join(from, "node_modules", name);
    mkdirSync(dirname(link), { recursive: true });
    symlinkSync(join(from, path), link);
  }
  const packed = (path: string) => existsSync(join(out, path));

  it("takes what production needs, at its usual place", () => {
    expect(packProject({ from, project: "services/a", out })).toEqual([
      "libs/b",
      "libs/b/node_modules/right",
      "node_modules/left",
      "node_modules/left/node_modules/deep",
      "services/a",
    ]);
    expect(packed("services/a/dist/main.js")).toBe(true);
    expect(packed("node_modules/left/index.js")).toBe(true);
    expect(packed("node_modules/@stagecraft/b/dist/main.js")).toBe(true);
    expect(realpathSync(join(out, "node_modules/@stagecraft/b"))).toBe(join(out, "libs/b"));
  });

  it("takes code that comes minified: some packages have no other", () => {
    write("node_modules/left/dist/index.min.js");
    packProject({ from, project: "services/a", out });
    expect(packed("node_modules/left/dist/index.min.js")).toBe(true);
  });

  it("takes pages whole, although they hold HTML", () => {
    write("services/a/dist/web/index.html");
    write("services/a/dist/main.d.ts");
    packProject({ from, project: "services/a", out });
    expect(packed("services/a/dist/web/index.html")).toBe(true);
    expect(packed("services/a/dist/main.d.ts")).toBe(false);
  });

  it("leaves sources, maps, types, tests and development's packages, and keeps licences", () => {
    packProject({ from, project: "services/a", out });
    for (const path of [
      "services/a/src",
      "services/a/README.md",
      "services/a/dist/main.js.map",
      "node_modules/left/index.d.ts",
      "node_modules/left/test",
      "node_modules/never",
    ]) {
      expect(packed(path), path).toBe(false);
    }
    expect(packed("node_modules/left/LICENSE.md")).toBe(true);
  });

  it("replaces what an earlier run packed", () => {
    write("out/node_modules/old/index.js");
    packProject({ from, project: "services/a", out });
    expect(packed("node_modules/old")).toBe(false);
  });

  it("names a package that is not installed", () => {
    rmSync(join(from, "node_modules/left"), { recursive: true });
    expect(() => packProject({ from, project: "services/a", out })).toThrow(
      "left is not installed; run npm ci first",
    );
  });
});

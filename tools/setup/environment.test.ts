import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { checkNode, isSupportedNode, packagesAreInstalled, prepare } from "./environment.mjs";

describe("isSupportedNode()", () => {
  it("takes 20.19+, 22.12+ and later majors", () => {
    const versions = [
      "18.20.0",
      "20.18.3",
      "20.19.0",
      "20.20.2",
      "21.7.0",
      "22.11.0",
      "22.12.0",
      "24.0.0",
    ];
    expect(versions.filter(isSupportedNode)).toEqual(["20.19.0", "20.20.2", "22.12.0", "24.0.0"]);
  });

  it("names the version found and the versions wanted", () => {
    expect(() => checkNode("18.20.0")).toThrow(/Node 18\.20\.0 is too old: install Node 20\.19/);
  });
});

describe("packagesAreInstalled()", () => {
  let root: string;
  beforeEach(() => {
    root = mkdtempSync(join(tmpdir(), "stagecraft-setup-"));
    lock("package-lock.json", { "": {}, "node_modules/a": { version: "1.0.0" } });
  });
  afterEach(() => rmSync(root, { recursive: true, force: true }));

  function lock(file: string, packages: Record<string, unknown>) {
    writeFileSync(join(root, file), JSON.stringify({ packages }));
  }
  function install(packages: Record<string, unknown>) {
    for (const path of Object.keys(packages)) mkdirSync(join(root, path), { recursive: true });
    mkdirSync(join(root, "node_modules"), { recursive: true });
    lock("node_modules/.package-lock.json", packages);
  }

  it("is false without node_modules", () => {
    expect(packagesAreInstalled(root)).toBe(false);
  });

  it("is true when every locked package is there at its version", () => {
    install({ "node_modules/a": { version: "1.0.0" }, "node_modules/extra": { version: "9.0.0" } });
    expect(packagesAreInstalled(root)).toBe(true);
  });

  it("is false for another version, a missing package or a deleted folder", () => {
    install({ "node_modules/a": { version: "1.0.1" } });
    expect(packagesAreInstalled(root)).toBe(false);
    install({});
    expect(packagesAreInstalled(root)).toBe(false);
    install({ "node_modules/a": { version: "1.0.0" } });
    rmSync(join(root, "node_modules", "a"), { recursive: true });
    expect(packagesAreInstalled(root)).toBe(false);
  });

  it("does not ask for optional packages of other platforms", () => {
    const esbuild = { version: "1.0.0", optional: true };
    lock("package-lock.json", { "": {}, "node_modules/esbuild-darwin": esbuild });
    install({});
    expect(packagesAreInstalled(root)).toBe(true);
  });
});

describe("prepare()", () => {
  it("compiles the engine beside the packages, and waits for both", async () => {
    const root = mkdtempSync(join(tmpdir(), "stagecraft-setup-"));
    const native = join(root, "libs", "tensor-native");
    mkdirSync(native, { recursive: true });
    writeFileSync(join(native, "build.mjs"), "");
    const log: string[] = [];
    let endEngine!: () => void;
    const engine = new Promise<void>((resolve) => (endEngine = resolve));
    const preparing = prepare(root, {
      run: () => Promise.reject(new Error("not used")),
      note: () => undefined,
      async command(title) {
        if (title.includes("engine")) await engine;
        log.push(title);
      },
    }).then(() => log.push("ready"));
    try {
      await vi.waitFor(() => expect(log).toContain("build the pages"), 10_000);
      expect(log).toEqual(["install packages (npm ci)", "compile TypeScript", "build the pages"]);
    } finally {
      endEngine();
      await preparing;
      rmSync(root, { recursive: true });
    }
    expect(log.slice(3)).toEqual(["compile the native engine", "ready"]);
  });
});

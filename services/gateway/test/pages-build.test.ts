import { mkdirSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { beforeAll, describe, expect, it } from "vitest";
import { buildPages, pagesAreFresh } from "../web/build.mjs";

const out = join(import.meta.dirname, "..", "dist", "web");
const MAX_SCRIPT_BYTES = 200_000;

describe("the built pages", () => {
  beforeAll(async () => {
    mkdirSync(join(out, ".."), { recursive: true });
    await buildPages();
  });

  it("are built once: a stamp says that they are fresh, until a source changes", async () => {
    expect(await buildPages()).toBe(false);
    expect(pagesAreFresh("of other sources")).toBe(false);
  });

  it("hold no inline script or style, which the Content-Security-Policy forbids", () => {
    const page = readFileSync(join(out, "index.html"), "utf8");
    expect(page).toMatch(/<script[^>]+src="\/assets\//);
    expect(page).not.toMatch(/<script(?![^>]*\ssrc=)|<style|\sstyle=|\son[a-z]+=|javascript:/i);
  });

  it("are at most 200 KB of script, gzipped", () => {
    const scripts = readdirSync(join(out, "assets")).filter((file) => file.endsWith(".js"));
    const sizes = scripts.map((file) => gzipSync(readFileSync(join(out, "assets", file))).length);
    const total = sizes.reduce((sum, size) => sum + size, 0);
    expect(total).toBeGreaterThan(1000);
    expect(total).toBeLessThanOrEqual(MAX_SCRIPT_BYTES);
  });
});

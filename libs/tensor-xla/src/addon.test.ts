import { createHash } from "node:crypto";
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { ABI, loadAddon } from "./addon.js";
import { openPjrt } from "./open.js";

const NATIVE = join(import.meta.dirname, "../native");
const dir = mkdtempSync(join(tmpdir(), "stagecraft-xla-abi-"));
afterAll(() => rmSync(dir, { recursive: true }));

describe("loadAddon()", () => {
  it("says how to get one where there is none", () => {
    expect(() => loadAddon(join(dir, "none.node"))).toThrow(
      "[failed_precondition] no addon for PJRT plugins: it is not compiled. Run `npm run setup -- --xla`",
    );
  });

  for (const [what, text, named] of [
    ["of before ABI numbers", "module.exports = {};", "unnumbered"],
    ["of another ABI", `module.exports = { abi: ${ABI + 1} };`, `${ABI + 1}`],
  ] as const) {
    it(`refuses by name an addon ${what}`, () => {
      const file = join(dir, `${named}.cjs`);
      writeFileSync(file, text);
      expect(() => loadAddon(file)).toThrow(
        `${file} was compiled from other sources: its ABI is ${named}, not ${ABI}. Run`,
      );
    });
  }
});

describe("openPjrt()", () => {
  it("says where a plugin comes from when the file is missing, before it asks for the addon", () => {
    expect(() => openPjrt(join(dir, "no.so"))).toThrow(
      `[not_found] there is no PJRT plugin ${join(dir, "no.so")}: install one with \`pip install "jax-cuda13-plugin[with-cuda]"\``,
    );
  });
});

describe("ABI", () => {
  it("is that of the C++ sources", () => {
    const text = readFileSync(join(NATIVE, "addon.cc"), "utf8");
    expect(/constexpr int ABI = (\d+);/.exec(text)?.[1]).toBe(String(ABI));
  });

  it("is raised when entries change: then also write the new number and hash here", () => {
    const files = readdirSync(NATIVE).filter((name) => /\.(cc|h)$/.test(name));
    const entries = files.flatMap((name) =>
      [
        ...readFileSync(join(NATIVE, name), "utf8").matchAll(/^\/\/ \w+\(.*→.*|\{"\w+", \w+\}/gm),
      ].map(([line]) => line),
    );
    const sha256 = createHash("sha256").update(entries.sort().join("\n")).digest("hex");
    expect([ABI, sha256.slice(0, 16)]).toEqual([2, "08c09b3286fc8a8e"]);
  });
});

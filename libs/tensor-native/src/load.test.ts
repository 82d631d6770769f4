import { createHash } from "node:crypto";
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { ABI } from "./abi.js";
import { loadNative } from "./load.js";

const NATIVE = join(import.meta.dirname, "../native");

describe("loadNative()", () => {
  for (const [what, text, named] of [
    ["of before ABI numbers", "module.exports = {};", "unnumbered"],
    ["of another ABI", `module.exports = { abi: ${ABI + 1} };`, `${ABI + 1}`],
  ] as const) {
    it(`refuses by name an addon ${what}`, () => {
      const dir = mkdtempSync(join(tmpdir(), "stagecraft-abi-"));
      const file = join(dir, "addon.cjs");
      writeFileSync(file, text);
      expect(loadNative(file)).toEqual({
        reason: `${file} was compiled from other sources: its ABI is ${named}, not ${ABI}`,
      });
      rmSync(dir, { recursive: true });
    });
  }
});

describe("ABI", () => {
  it("is that of the C++ sources", () => {
    const text = readFileSync(join(NATIVE, "addon.cc"), "utf8");
    expect(/constexpr int ABI = (\d+);/.exec(text)?.[1]).toBe(String(ABI));
  });

  it("is raised when entries or fields change: then also write the new number and hash here", () => {
    const files = readdirSync(NATIVE).filter((name) => /\.(cc|h)$/.test(name));
    const names = files.flatMap((name) =>
      [...readFileSync(join(NATIVE, name), "utf8").matchAll(/"([A-Za-z]\w*)"/g)].map(([, n]) => n),
    );
    const sha256 = createHash("sha256").update(names.sort().join("\n")).digest("hex");
    expect([ABI, sha256.slice(0, 16)]).toEqual([3, "56119270da174c03"]);
  });
});

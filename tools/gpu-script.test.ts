import { spawnSync } from "node:child_process";
import { readFile, writeFile } from "node:fs/promises";
import { describe, expect, it } from "vitest";
import { tempDir } from "@stagecraft/testing";
import { bundleScript } from "../bench/gpu/bundle-script.mjs";
import { LeftOut, runParts, type Part } from "../bench/gpu/run-parts.mjs";
import { torchStep } from "../bench/gpu/torch.mjs";

describe("the script for GPU machines", () => {
  const outcomesOf = async (parts: Part[]) => {
    const written: [string, unknown][] = [];
    const numFailed = await runParts(parts, (name, outcome) => written.push([name, outcome]));
    return { written, numFailed };
  };
  const fail = (reason: string) => () => {
    throw new Error(reason);
  };

  it("keeps its own figures when --python names no Python: PyTorch's part alone fails, and says why", async () => {
    const torch = () => torchStep({ python: "/no/such/python", peer: "torch_step.py" }, {});
    const { written, numFailed } = await outcomesOf([
      { name: "train", work: () => ({ stepMs: 3 }) },
      { name: "torch", work: torch },
      { name: "decode", work: () => ({ tokensPerSecond: 9 }) },
    ]);
    expect(numFailed).toBe(1);
    expect(written).toEqual([
      ["train", { stepMs: 3 }],
      [
        "torch",
        { failed: expect.stringMatching(/^\/no\/such\/python does not run: .*ENOENT/) as string },
      ],
      ["decode", { tokensPerSecond: 9 }],
    ]);
  });

  it("says what a Python without PyTorch said last, and what gave no word", async () => {
    await using dir = await tempDir();
    const step = async (script: string) => {
      const peer = dir.file("peer.cjs");
      await writeFile(peer, script);
      return torchStep({ python: process.execPath, peer }, { steps: 1 });
    };
    await expect(step("console.error('a\\nno torch'); process.exit(1)")).rejects.toThrow(
      /ended by exit code 1: no torch$/,
    );
    await expect(step("process.exit(3)")).rejects.toThrow(/exit code 3: it said nothing$/);
    expect(await step("console.log(process.argv[2])")).toEqual({ steps: 1 });
  });

  it("ends where a part fails that the others need, and counts what cannot be measured as no failure", async () => {
    const needed = { name: "start", work: fail("no plugin"), isNeeded: true };
    const after = { name: "train", work: () => ({}) };
    const leftOut = { name: "devices", work: () => Promise.reject(new LeftOut("one device")) };
    expect(await outcomesOf([leftOut, needed, after])).toEqual({
      numFailed: 1,
      written: [
        ["devices", { leftOut: "one device" }],
        ["start", { failed: "no plugin" }],
      ],
    });
  });

  it("starts where there is no folder of packages, once it is bundled: TFJS is inside", async () => {
    await using dir = await tempDir();
    await bundleScript(dir.path);
    const script = dir.file("dist/run.mjs");
    const { stderr } = spawnSync(process.execPath, [script], { cwd: dir.path, encoding: "utf8" });
    expect(stderr).toContain("name the plugin");
    expect(await readFile(script, "utf8")).not.toMatch(/require[$\w]*\("@tensorflow/);
  });
});

import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { startTensorFlow } from "./start.js";

describe("startTensorFlow()", () => {
  let root: string;
  beforeEach(() => {
    root = mkdtempSync(join(tmpdir(), "stagecraft-tensorflow-"));
  });
  afterEach(() => rmSync(root, { recursive: true }));

  /** Starts it as if our own module lay in `root`. */
  const start = () => startTensorFlow({ from: join(root, "index.js") });
  function install(name: string, program: string, inside = root) {
    const file = join(inside, "node_modules", "@tensorflow", name, "index.js");
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, program);
    return dirname(file);
  }

  it("says how to get a package when there is none", async () => {
    await expect(start()).rejects.toThrow(
      /failed_precondition.*needs @tensorflow\/tfjs-node-gpu or @tensorflow\/tfjs-node, and neither.*tools\/tensorflow\/build\.mjs/,
    );
  });

  it("takes the GPU's package first, and does not fall back from it in silence", async () => {
    install("tfjs", "");
    install("tfjs-node", "");
    install("tfjs-node-gpu", 'throw new Error("no CUDA here\\nmore")');
    await expect(start()).rejects.toThrow(/tfjs-node-gpu at .* does not start: no CUDA here$/);
  });

  it("refuses a package that brings its own TFJS", async () => {
    install("tfjs", "");
    install("tfjs", "", install("tfjs-node", ""));
    await expect(start()).rejects.toThrow(
      /tfjs-node would load its own TFJS, .*tfjs-node.node_mod/,
    );
  });
});

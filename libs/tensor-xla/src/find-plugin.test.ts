import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { findCudaTools, findPjrtPlugin, pythonFolders } from "./find-plugin.js";

const root = mkdtempSync(join(tmpdir(), "stagecraft-plugin-"));
afterAll(() => rmSync(root, { recursive: true }));

function write(...path: string[]): string {
  const file = join(root, ...path);
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, "");
  return file;
}

describe("findPjrtPlugin()", () => {
  it("takes the newer CUDA's wherever it lies, and finds none where there is none", () => {
    const old = write("a", "jax_plugins", "xla_cuda12", "xla_cuda_plugin.so");
    const folders = ["a", "b"].map((name) => join(root, name));
    expect(findPjrtPlugin(folders)).toBe(old);
    const newer = write("b", "jax_plugins", "xla_cuda13", "xla_cuda_plugin.so");
    expect(findPjrtPlugin(folders)).toBe(newer);
    expect(findPjrtPlugin([join(root, "c")])).toBeUndefined();
  });
});

describe("findCudaTools()", () => {
  it("finds the compiler that pip put beside the plugin", () => {
    const plugin = write("d", "jax_plugins", "xla_cuda13", "xla_cuda_plugin.so");
    expect(findCudaTools(plugin)).toBeUndefined();
    write("d", "nvidia", "cuda_nvcc", "bin", "ptxas");
    expect(findCudaTools(plugin)).toBe(join(root, "d", "nvidia", "cuda_nvcc"));
    write("d", "nvidia", "cu13", "bin", "ptxas");
    expect(findCudaTools(plugin)).toBe(join(root, "d", "nvidia", "cu13"));
  });
});

describe("pythonFolders()", () => {
  it("is empty without a Python", () => {
    expect(pythonFolders("no-such-python")).toEqual([]);
  });
});

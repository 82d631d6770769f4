import { open } from "node:fs/promises";
import { join } from "node:path";
import { nodeFileSystem, type FileSystem } from "./file-system.js";
import { tempDir } from "@stagecraft/testing";
import { describe, expect, it } from "vitest";
import { readSafetensors } from "./read-safetensors.js";
import { writeSafetensors } from "./safetensors.js";
import { f32, type TensorEntry } from "./tensor-entry.js";

/** More than one piece of a file, and no whole number of pieces. */
const MANY = 2 ** 21 + 3;

const tensors = new Map<string, TensorEntry>([
  [
    "many",
    { dtype: "BF16", shape: [MANY], data: Float32Array.from({ length: MANY }, (_, i) => i % 251) },
  ],
  ["few", { dtype: "F16", shape: [3], data: Float32Array.of(0.5, -65504, 2 ** -24) }],
  ["none", f32([0], new Float32Array(0))],
  ["floats", f32([2, 1], Float32Array.of(1.5, NaN))],
  ["ids", { dtype: "I64", shape: [1], data: BigInt64Array.of(-7n) }],
  ["mask", { dtype: "U8", shape: [3], data: Uint8Array.of(0, 1, 255) }],
]);

describe("readSafetensors()", () => {
  it("reads every type, by pieces too, each tensor into memory of its own", async () => {
    await using dir = await tempDir();
    const file = join(dir.path, "all.safetensors");
    await writeSafetensors(file, tensors, { metadata: { format: "pt" } });
    const read = await readSafetensors(file);
    expect(read.metadata).toEqual({ format: "pt" });
    expect([...read.tensors.keys()].sort()).toEqual([...tensors.keys()].sort());
    for (const [name, { dtype, shape, data }] of read.tensors) {
      const expected = tensors.get(name)!;
      expect([name, dtype, shape]).toEqual([name, expected.dtype, expected.shape]);
      const same = Buffer.from(data.buffer).equals(Buffer.from(expected.data.buffer));
      expect(same, name).toBe(true);
    }
  });

  it("never reads the whole file at once", async () => {
    await using dir = await tempDir();
    const file = join(dir.path, "all.safetensors");
    await writeSafetensors(file, tensors);
    let most = 0;
    const watched = async (...args: Parameters<FileSystem["open"]>) => {
      const handle = await open(...args);
      const read = handle.read.bind(handle);
      const note = (bytes: Uint8Array, offset: number, length: number, position: number) => {
        most = Math.max(most, length);
        return read(bytes, offset, length, position);
      };
      return Object.assign(handle, { read: note });
    };
    await readSafetensors(file, { fileSystem: { ...nodeFileSystem, open: watched } });
    expect(most).toBe(2 ** 22);
  });

  it("names the file that is missing, cut short, or no safetensors", async () => {
    await using dir = await tempDir();
    const file = join(dir.path, "w.safetensors");
    await expect(readSafetensors(file)).rejects.toThrow(/\[not_found\] cannot read .*w\.safeten/);
    for (const bytes of [0, 5, 40]) {
      await writeSafetensors(file, new Map([["floats", tensors.get("floats")!]]));
      await using handle = await open(file, "r+");
      await handle.truncate(bytes);
      await expect(readSafetensors(file)).rejects.toThrow(/\[data_loss\] .*w\.safetensors: /);
    }
  });
});

import { beforeAll, describe, expect, it } from "vitest";
import type { NativeBackend } from "./engines/native/backend.js";
import { initEngine } from "./engines/start.js";
import { memoryReport, releaseIdleMemory } from "./memory.js";
import { tf } from "./tf.js";

beforeAll(() => initEngine({ engine: "auto", numThreads: 1 }));

describe("memoryReport()", () => {
  it("counts tensors as they come and go", () => {
    const before = memoryReport();
    const ones = tf.ones([100, 10]);
    expect(memoryReport().numTensors).toBe(before.numTensors + 1);
    expect(memoryReport().usedBytes).toBeGreaterThanOrEqual(before.usedBytes);
    ones.dispose();
    expect(memoryReport().numTensors).toBe(before.numTensors);
  });
});

describe("releaseIdleMemory()", () => {
  it("leaves tensors in use alone, and idle buffers usable", () => {
    const ones = tf.ones([300, 300]);
    const kept = tf.add(ones, ones);
    tf.add(kept, ones).dispose();
    releaseIdleMemory();
    const again = tf.add(kept, ones);
    expect(new Set(kept.dataSync())).toEqual(new Set([2]));
    expect(new Set(again.dataSync())).toEqual(new Set([3]));
    tf.dispose([ones, kept, again]);
  });

  it("refuses arrays that are shorter than their sizes", ({ skip }) => {
    const addon = (tf.backend() as Partial<NativeBackend>).addon;
    if (!addon) return skip();
    const arrays = [new Float32Array(10)];
    const drop = () => addon.dropContents({ arrays, sizes: Int32Array.of(11), trim: false });
    expect(drop).toThrow(/arrays\[0\]/);
  });
});

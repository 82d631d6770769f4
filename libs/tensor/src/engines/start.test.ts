import { describe, expect, it, vi } from "vitest";
import { engineInfo, initEngine, tf } from "../index.js";

describe("initEngine()", () => {
  it("starts one engine, says so, and refuses another in the same thread", async () => {
    expect(() => engineInfo()).toThrow("[failed_precondition] no engine yet");
    await expect(initEngine({ engine: "tensorflow" })).rejects.toThrow(
      'engine "tensorflow" needs @tensorflow/tfjs-node-gpu or @tensorflow/tfjs-node',
    );
    const warn = vi.spyOn(console, "warn").mockImplementation(() => undefined);
    await expect(initEngine({ engine: "cpu", attention: "cudnn" })).rejects.toThrow(
      'attention "cudnn" asked for, but engine "cpu" has the plain one',
    );
    const onXla = { plugin: "none.so", matmulPrecision: "bf16" } as const;
    await expect(initEngine(onXla)).rejects.toThrow(/computes in f32: .*; .* is not used: /);
    const info = await initEngine({ engine: "cpu" }); // a failed start leaves the choice open
    expect(info).toEqual({ name: "cpu", numThreads: 1, simd: "none", batchInvariant: true });
    expect(engineInfo()).toBe(info);
    expect(await initEngine()).toBe(info);
    await expect(initEngine({ engine: "native" })).rejects.toThrow('"cpu" already runs');
    await expect(initEngine({ matmulPrecision: "bf16" })).rejects.toThrow(
      'matmulPrecision "bf16" asked for, but engine "cpu" computes in f32: leave it out, or take engine "xla"',
    );
    expect(await initEngine({ matmulPrecision: "f32", attention: "plain" })).toBe(info);
    tf.tensor1d([1]).dispose();
    expect(warn).not.toHaveBeenCalled(); // TFJS's banner stays away
  });
});

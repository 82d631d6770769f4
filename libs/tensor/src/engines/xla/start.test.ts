import { availableParallelism } from "node:os";
import { describe, expect, it, vi } from "vitest";
import { hasGpuAndPlugin, startXla } from "./start.js";

vi.mock("@stagecraft/tensor-xla", async () => {
  const { recordingPlugin } = await import("@stagecraft/testing");
  const openPjrt = vi.fn(recordingPlugin.openPjrt);
  return { ...recordingPlugin, openPjrt, findPjrtPlugin: () => undefined };
});

describe("hasGpuAndPlugin()", () => {
  const device = "/dev/null"; // a file that is there
  const missing = "/dev/no-such-device";
  const found = () => "plugin.so";

  it("asks for both: the driver's device and a plugin, found or named", () => {
    expect(hasGpuAndPlugin({}, { device, findPlugin: found })).toBe(true);
    expect(hasGpuAndPlugin({ plugin: "own.so" }, { device, findPlugin: () => undefined })).toBe(
      true,
    );
    expect(hasGpuAndPlugin({}, { device, findPlugin: () => undefined })).toBe(false);
    expect(hasGpuAndPlugin({}, { device: missing, findPlugin: found })).toBe(false);
  });

  it("does not look for a plugin where no GPU is", () => {
    const findPlugin = () => {
      throw new Error("looked for a plugin");
    };
    expect(hasGpuAndPlugin({}, { device: missing, findPlugin })).toBe(false);
  });
});

describe("startXla()", () => {
  it("refuses attention by cuDNN in f32 before it opens the plugin", async () => {
    const { openPjrt } = await import("@stagecraft/tensor-xla");
    vi.mocked(openPjrt).mockClear();
    await expect(startXla({ plugin: "double", attention: "cudnn" })).rejects.toThrow(
      'attention "cudnn" computes in bf16 on CUDA, and this is f32',
    );
    expect(openPjrt).not.toHaveBeenCalled();
  });

  it("says how it rounds, and that it does not take the number of threads it is given", async () => {
    const { info } = await startXla({ plugin: "double", numThreads: 3, matmulPrecision: "bf16" });
    expect(info).toMatchObject({ matmulPrecision: "bf16", attention: "plain" });
    expect(info.notice).toMatch(/does not take its threads from us \(3 asked for\).*NPROC/);
    expect(info.numThreads).toBe(availableParallelism());
  });
});

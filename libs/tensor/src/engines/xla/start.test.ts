import { availableParallelism } from "node:os";
import { describe, expect, it, vi } from "vitest";
import { hasGpuAndPlugin, startXla } from "./start.js";

vi.mock("@stagecraft/tensor-xla", async () => {
  const { recordingPlugin } = await import("@stagecraft/testing");
  return { ...recordingPlugin, findPjrtPlugin: () => undefined };
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
  it("says how it rounds, and that it does not take the number of threads it is given", async () => {
    const { info } = await startXla({ plugin: "double", numThreads: 3, matmulPrecision: "bf16" });
    expect(info).toMatchObject({ matmulPrecision: "bf16", attention: "plain" });
    expect(info.notice).toMatch(/does not take its threads from us \(3 asked for\).*NPROC/);
    expect(info.numThreads).toBe(availableParallelism());
  });
});

import { describe, expect, it } from "vitest";
import { hasGpuAndPlugin } from "./start.js";

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

import { describe, expect, it } from "vitest";
import { encodeCompileOptions } from "./compile-options.js";

describe("encodeCompileOptions()", () => {
  it("writes the bytes that jaxlib writes for the same fields", () => {
    // jaxlib 0.10.2, SerializeAsString() of CompileOptions with num_replicas 2 and these overrides; of the build
    // options, which it writes out in full, device_ordinal -1, num_replicas 2 and num_partitions 1 are kept.
    const build = "1a0f08ffffffffffffffffff0120022801";
    const overrides =
      "3a070a016212021001" +
      "3a0e0a0164120921000000000000e03f" +
      "3a070a016912021807" +
      "3a1f0a15786c615f6770755f637564615f646174615f64697212060a042f757372";
    const bytes = encodeCompileOptions(2, {
      b: true,
      d: 0.5,
      i: 7,
      xla_gpu_cuda_data_dir: "/usr",
    });
    expect(Buffer.from(bytes).toString("hex")).toBe(build + overrides);
  });

  it("writes lengths of more than one byte", () => {
    const [first, ...rest] = encodeCompileOptions(1, { x: "y".repeat(300) }).slice(17);
    expect([first, ...rest.slice(0, 2)]).toEqual([0x3a, 0xb5, 0x02]); // 309 bytes follow
  });
});

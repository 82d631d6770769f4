import { describe, expect, it } from "vitest";
import { z } from "zod";
import { engineFields, engineOptions, engineSettings } from "./engine-fields.js";

const schema = z.object(engineFields);

describe("engineOptions()", () => {
  it("leaves out what is not asked for, so that a process keeps what it was started with", () => {
    expect(engineOptions(schema.parse({}))).toEqual({ engine: "auto" });
  });

  it("carries every setting on: none is dropped on the way to the engine", () => {
    const asked = {
      engine: "xla",
      plugin: "/opt/pjrt.so",
      matmulPrecision: "bf16",
      attention: "cudnn",
      threads: 3,
    } as const;
    expect(Object.keys(asked).sort()).toEqual(Object.keys(engineFields).sort());
    const config = { ...schema.parse(asked), modelDir: "m" };
    expect(engineSettings(config)).toEqual(asked);
    const { threads: numThreads, ...rest } = asked;
    expect(engineOptions(config)).toEqual({ ...rest, numThreads });
  });
});

import { writeFile } from "node:fs/promises";
import type { StagecraftError } from "@stagecraft/core";
import { tempDir } from "@stagecraft/testing";
import { describe, expect, it } from "vitest";
import { z } from "zod";
import {
  configJsonSchema,
  describeConfig,
  describeConfigTable,
  fromEnvironment,
  loadConfig,
  loadConfigFile,
  parseConfig,
  parseText,
  redactConfig,
  suggest,
} from "./index.js";

const schema = z.object({
  learningRate: z.number().min(0).max(1).default(0.001).describe("Peak learning rate."),
  numSteps: z.int().min(1).describe("Optimizer steps."),
  schedule: z.enum(["cosine", "linear"]).default("cosine").describe("Decay | shape."),
  resume: z.boolean().default(false).describe("Continue."),
  sources: z.array(z.string()).min(1).default(["a.txt"]).describe("Files."),
  ports: z.array(z.int()).default([]).describe("Ports."),
  token: z.string().min(16).optional().describe("Bearer token.").meta({ secret: true }),
  nested: z
    .object({ depth: z.int().max(9) })
    .optional()
    .describe("More."),
});

const problemsOf = (raw: unknown, source = "x.yaml"): string[] => {
  try {
    parseConfig(schema, raw, { source });
  } catch (error) {
    return (error as StagecraftError).details["problems"] as string[];
  }
  return [];
};

describe("parseConfig()", () => {
  it("fills in defaults and freezes everything", () => {
    const config = parseConfig(schema, { numSteps: 3, nested: { depth: 1 } });
    expect(config).toMatchObject({ learningRate: 0.001, schedule: "cosine", sources: ["a.txt"] });
    expect(() => ((config as { numSteps: number }).numSteps = 4)).toThrow();
    expect(() => config.sources.push("b")).toThrow();
    expect(() => (config.nested!.depth = 2)).toThrow();
  });

  it("reports every problem at once with field, value and expectation", () => {
    const raw = { learningRate: "fast", schedule: "cubic", sources: [], nested: { depth: 12 } };
    expect(problemsOf(raw)).toEqual([
      'x.yaml: learningRate is "fast"; expected a value of type number',
      "x.yaml: numSteps is missing; expected a value of type number (Optimizer steps.)",
      'x.yaml: schedule is "cubic"; expected "cosine" or "linear"',
      "x.yaml: sources is []; expected a number of items of at least 1",
      "x.yaml: nested.depth is 12; expected at most 9",
    ]);
    for (const [value, expected] of [
      [2, "at most 1"],
      [-1, "at least 0"],
      [NaN, "type number"],
      [Infinity, "type number"],
      [null, "type number"],
    ] as const) {
      expect(problemsOf({ numSteps: 1, learningRate: value })[0]).toContain(expected);
    }
    expect(problemsOf({ numSteps: 1.5 })[0]).toContain("expected an integer");
  });

  it("suggests the field that was meant, and lists fields otherwise", () => {
    const problems = problemsOf({ numSteps: 1, learning_rate: 1, numstep: 2, zebra: 3 });
    expect(problems[0]).toContain("learning_rate is not a known field; did you mean learningRate?");
    expect(problems[1]).toContain("did you mean numSteps?");
    expect(problems[2]).toContain("known fields: learningRate, numSteps");
  });

  it("never shows a secret, not even a wrong one", () => {
    expect(problemsOf({ numSteps: 1, token: "hunter2" })).toEqual([
      "x.yaml: token is [hidden]; expected a length of at least 16",
    ]);
  });

  it("refuses what is no object", () => {
    for (const raw of ["text", 7, [1]]) expect(problemsOf(raw)[0]).toContain("type object");
  });
});

describe("describeConfig()", () => {
  it("gives flag, kind, default, bounds and doc of every field", () => {
    const fields = Object.fromEntries(describeConfig(schema).map((field) => [field.name, field]));
    expect(fields["learningRate"]).toEqual({
      name: "learningRate",
      flag: "--learning-rate",
      type: "number",
      kind: "number",
      required: false,
      default: 0.001,
      min: 0,
      max: 1,
      doc: "Peak learning rate.",
      examples: [],
      secret: false,
    });
    expect(fields["numSteps"]).toMatchObject({ kind: "integer", required: true, min: 1 });
    expect(fields["numSteps"]).not.toHaveProperty("max");
    expect(fields["schedule"]).toMatchObject({ choices: ["cosine", "linear"], kind: "string" });
    expect(fields["sources"]).toMatchObject({ type: "string[]", kind: "array" });
    expect(fields["token"]).toMatchObject({ secret: true, required: false });
    expect(fields["nested"]).toMatchObject({ kind: "json" });
  });

  it("writes a table and a JSON schema that refuses unknown keys", () => {
    expect(describeConfigTable(schema)).toContain(
      "| `learningRate` | number | `0.001` | 0 … 1 | Peak learning rate. |",
    );
    expect(describeConfigTable(schema)).toContain("Decay \\| shape.");
    expect(configJsonSchema(schema)).toMatchObject({ additionalProperties: false });
  });
});

describe("parseText()", () => {
  const field = (name: string) => describeConfig(schema).find((item) => item.name === name)!;
  for (const [name, text, value] of [
    ["learningRate", "3e-4", 0.0003],
    ["learningRate", "fast", "fast"],
    ["learningRate", "", ""],
    ["learningRate", "0x10", "0x10"],
    ["numSteps", "12", 12],
    ["resume", "yes", true],
    ["resume", "off", false],
    ["resume", "maybe", "maybe"],
    ["schedule", "linear", "linear"],
    ["sources", "a.txt, 7", ["a.txt", "7"]],
    ["sources", '["a,b"]', ["a,b"]],
    ["sources", "", []],
    ["ports", "1,2", [1, 2]],
    ["nested", '{"depth": 2}', { depth: 2 }],
    ["token", "123", "123"],
  ] as const) {
    it(`reads ${name} "${text}"`, () => expect(parseText(field(name), text)).toEqual(value));
  }
  it("refuses broken JSON", () => {
    expect(() => parseText(field("nested"), "{depth")).toThrow("--nested is not valid JSON");
  });
});

describe("loadConfigFile()", () => {
  it("names file and line of wrong values and of syntax errors", async () => {
    await using dir = await tempDir();
    const path = dir.file("run.yaml");
    await writeFile(path, "# run\nnumSteps: 3\nlearningRate: fast\nnested:\n  depth: 12\nx: 1\n");
    const loading = loadConfig(schema, { file: path });
    await expect(loading).rejects.toThrow(`${path}:3: learningRate is "fast"`);
    await expect(loading).rejects.toThrow(`${path}:5: nested.depth is 12`);
    await expect(loading).rejects.toThrow(`${path}:6: x is not a known field`);
    for (const [text, line] of [
      ["a: 1\nb: [1\n", ":3:"],
      ["a: 1\na: 2\n", ":2:"],
      ["- 1\n", ":1:"],
      ["just text", ":1:"],
    ] as const) {
      await writeFile(path, text);
      await expect(loadConfigFile(path)).rejects.toThrow(path + line);
    }
  });

  it("reads JSON, an empty file, and explains what it cannot read", async () => {
    await using dir = await tempDir();
    const path = dir.file("run.json");
    await writeFile(path, '{\n\t"numSteps": 3,\n\t"resume": true\n}\n');
    const { values, locate } = await loadConfigFile(path);
    expect(values).toEqual({ numSteps: 3, resume: true });
    expect(locate(["resume"])).toBe(`${path}:3`);
    await writeFile(path, "");
    expect((await loadConfigFile(path)).values).toEqual({});
    await writeFile(path, Buffer.from([0xff, 0xfe, 0x00]));
    await expect(loadConfigFile(path)).rejects.toThrow("not UTF-8");
    await expect(loadConfigFile(dir.path)).rejects.toThrow("is a directory");
    await expect(loadConfigFile(dir.file("none"))).rejects.toMatchObject({ code: "not_found" });
  });
});

describe("loadConfig()", () => {
  it("lets flags win over the environment and that over the file, and says who spoke", async () => {
    await using dir = await tempDir();
    const file = dir.file("run.yaml");
    await writeFile(file, "numSteps: 1\nlearningRate: 0.1\nschedule: linear\n");
    const environment = { RUN_NUM_STEPS: "2", RUN_LEARNING_RATE: "0.2", RUN_RESUME: "" };
    const layers = { file, environmentPrefix: "RUN", environment };
    const { config, origins } = await loadConfig(schema, { ...layers, flags: { numSteps: 3 } });
    expect(config).toMatchObject({ numSteps: 3, learningRate: 0.2, schedule: "linear" });
    expect(Object.fromEntries(origins)).toEqual({
      numSteps: "--num-steps",
      learningRate: "RUN_LEARNING_RATE",
      schedule: `${file}:3`,
    });
    const wrong = loadConfig(schema, { ...layers, environment: { RUN_NUM_STEPS: "many" } });
    await expect(wrong).rejects.toThrow('RUN_NUM_STEPS: numSteps is "many"');
  });
});

describe("fromEnvironment()", () => {
  it("reads variables and files of secrets, and nothing else", async () => {
    await using dir = await tempDir();
    await writeFile(dir.file("token"), "0123456789abcdef\n");
    const environment = {
      P_TOKEN_FILE: dir.file("token"),
      P_SOURCES: "a,b",
      P_SERVICE_HOST: "10.0.0.1",
      OTHER: "1",
    };
    expect(fromEnvironment(schema, "P", environment)).toEqual({
      token: "0123456789abcdef",
      sources: ["a", "b"],
    });
    expect(() => fromEnvironment(schema, "P", { P_TOKEN_FILE: "/no/file" })).toThrow(
      "P_TOKEN_FILE: cannot read /no/file",
    );
  });
});

describe("redactConfig()", () => {
  it("hides secrets and shows the rest", () => {
    const config = parseConfig(schema, { numSteps: 1, token: "0123456789abcdef" });
    expect(redactConfig(schema, config)).toMatchObject({ numSteps: 1, token: "[hidden]" });
  });
});

describe("suggest()", () => {
  it("forgives slips and other spellings, not other words", () => {
    const names = ["learningRate", "numSteps", "seed"];
    expect(suggest("learnigRate", names)).toBe("learningRate");
    expect(suggest("num-steps", names)).toBe("numSteps");
    expect(suggest("sed", names)).toBe("seed");
    expect(suggest("banana", names)).toBeUndefined();
  });
});

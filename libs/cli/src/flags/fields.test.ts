import { describe, expect, it } from "vitest";
import { z } from "zod";
import { describeFields } from "./fields.js";

describe("describeFields()", () => {
  const schema = z.strictObject({
    learningRate: z.number().min(0).max(1).default(0.001).describe("Peak rate"),
    data: z.array(z.string()).describe("Files"),
    split: z.enum(["documents", "tail"]).default("documents"),
    steps: z.number().int().min(1).default(10),
    tieEmbeddings: z.boolean().default(true),
    tokenizer: z.string().optional(),
    limit: z.number().nullable().default(null),
  });
  const fields = new Map(describeFields(schema).map((field) => [field.name, field]));

  it("spells flags in kebab case and reads kinds", () => {
    const kinds = [...fields.values()].map(({ flag, kind }) => [flag, kind]);
    expect(kinds).toEqual([
      ["--learning-rate", "number"],
      ["--data", "list"],
      ["--split", "choice"],
      ["--steps", "number"],
      ["--tie-embeddings", "boolean"],
      ["--tokenizer", "text"],
      ["--limit", "number"],
    ]);
  });

  it("keeps defaults, limits, choices, documentation and what is required", () => {
    expect(fields.get("learningRate")).toMatchObject({
      default: 0.001,
      min: 0,
      max: 1,
      doc: "Peak rate",
    });
    expect(fields.get("steps")).not.toHaveProperty("max"); // "any safe integer" is no limit
    expect(fields.get("split")).toMatchObject({ choices: ["documents", "tail"] });
    expect([fields.get("data")?.isRequired, fields.get("tokenizer")?.isRequired]).toEqual([
      true,
      false,
    ]);
  });
});

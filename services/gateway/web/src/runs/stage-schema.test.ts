import { describe, expect, it } from "vitest";
import { configOf, fieldsOf } from "./stage-schema.js";

const schema = {
  properties: {
    steps: { type: "integer", default: 100, description: "How many" },
    corpus: { type: "array", items: { type: "string" } },
    rates: { type: "array", items: { type: "number" }, default: [] },
    engine: { type: "string", enum: ["auto", "cpu"], default: "auto" },
    pack: { type: "boolean", default: true },
  },
  required: ["corpus", "steps", "engine"],
};

describe("a form made of a stage's schema", () => {
  const fields = fieldsOf(schema);

  it("asks first for what has no default, and shows the defaults of the rest", () => {
    expect(fields.map(({ name, isRequired }) => [name, isRequired])[0]).toEqual(["corpus", true]);
    expect(fields.filter(({ isRequired }) => isRequired)).toHaveLength(1);
    expect(fields.find(({ name }) => name === "steps")).toMatchObject({
      ...{ type: "integer", initial: "100", hint: "How many" },
    });
    expect(fields.find(({ name }) => name === "engine")!.choices).toEqual(["auto", "cpu"]);
  });

  it("gives what was filled in by its type, and nothing for what was left empty", () => {
    const values = {
      steps: " 5 ",
      corpus: "a.txt, b.txt",
      rates: "1,2.5",
      pack: "false",
      engine: "",
    };
    expect(configOf(fields, values)).toEqual({
      ...{ steps: 5, corpus: ["a.txt", "b.txt"], rates: [1, 2.5], pack: false },
    });
  });

  it("names a field that is no number", () => {
    expect(() => configOf(fields, { steps: "many" })).toThrow('steps: "many" is no number');
  });
});

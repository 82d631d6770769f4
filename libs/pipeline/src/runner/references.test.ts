import { describe, expect, it } from "vitest";
import { findReferences, resolveReferences } from "./references.js";

const bindings = new Map<string, string | number | boolean>([
  ["data", "/texts"],
  ["steps", 20],
  ["base.model", "runs/x/base/model"],
]);

describe("resolveReferences()", () => {
  it("replaces references anywhere inside a value", () => {
    const value = { data: ["${data}/a.txt", { path: "${base.model}" }], steps: 3, on: true };
    expect(resolveReferences(value, bindings)).toEqual({
      data: ["/texts/a.txt", { path: "runs/x/base/model" }],
      steps: 3,
      on: true,
    });
  });

  it("keeps the type of a value that is one reference", () => {
    expect(resolveReferences("${steps}", bindings)).toBe(20);
    expect(resolveReferences("n${steps}", bindings)).toBe("n20");
  });

  it("names an unknown reference and the known ones", () => {
    expect(() => resolveReferences(["${bsae.model}"], bindings)).toThrow(
      "[not_found] ${bsae.model} is not defined here; known: ${data}, ${steps}, ${base.model}",
    );
  });
});

describe("findReferences()", () => {
  it("finds nested names in order", () => {
    expect(findReferences({ a: "${x}/${y.z}", b: [1, null, "${x}"] })).toEqual(["x", "y.z", "x"]);
  });
});

import { describe, expect, it } from "vitest";
import { meanOf, present } from "./mean.js";

describe("meanOf()", () => {
  it("is undefined over nothing and the mean over something", () => {
    expect(meanOf([])).toBeUndefined();
    expect(meanOf(Float32Array.of(1, 2, 6))).toBe(3);
  });
});

describe("present()", () => {
  it("leaves out what is undefined, and keeps 0, null and the empty text", () => {
    expect(present({ a: undefined, b: 0, c: null, d: "" })).toEqual({ b: 0, c: null, d: "" });
    expect("a" in present({ a: undefined })).toBe(false);
  });
});

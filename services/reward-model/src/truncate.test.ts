import { describe, expect, it } from "vitest";
import { fitTokens } from "./truncate.js";

const ids = Int32Array.from([1, 2, 3, 4, 5]);

describe("fitTokens()", () => {
  it("leaves what fits alone", () => {
    const fitted = fitTokens(ids, { maxLength: 5, truncation: "refuse", field: "items[0]" });
    expect(fitted).toEqual({ ids, numTruncated: 0 });
  });
  it("refuses what does not, with both lengths", () => {
    expect(() => fitTokens(ids, { maxLength: 4, truncation: "refuse", field: "items[0]" })).toThrow(
      /items\[0\] has 5 tokens, the model reads 4/,
    );
  });
  it("keeps the first token and the end on request, and says how much went", () => {
    const fitted = fitTokens(ids, { maxLength: 3, truncation: "keep_end", field: "items[0]" });
    expect(fitted).toEqual({ ids: Int32Array.from([1, 4, 5]), numTruncated: 2 });
  });
});

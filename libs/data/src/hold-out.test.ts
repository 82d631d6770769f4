import { describe, expect, it } from "vitest";
import { holdOut } from "./hold-out.js";

describe("holdOut()", () => {
  it("keeps records with one key on one side and takes about the fraction", () => {
    const records = Array.from({ length: 4000 }, (_, i) => ({ key: `k${i % 1000}` }));
    const { train, validation } = holdOut(records, 0.25, ({ key }) => key);
    expect(train.length + validation.length).toBe(4000);
    expect(Math.abs(validation.length - 1000)).toBeLessThan(4 * 5 * 13.7); // √(1000·¼·¾) = 13.7 keys
    const kept = new Set(train.map(({ key }) => key));
    expect(validation.some(({ key }) => kept.has(key))).toBe(false);
  });
});

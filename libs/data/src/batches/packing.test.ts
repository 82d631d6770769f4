import { createRandom } from "@stagecraft/core";
import { describe, expect, it } from "vitest";
import { packFirstFit } from "./packing.js";
import { weightedOrder } from "./weighted-order.js";

describe("packFirstFit()", () => {
  it("fills rows first fit, as worked by hand", () => {
    const lengths = [6, 5, 4, 5, 3, 10];
    const packing = packFirstFit([0, 1, 2, 3, 4, 5], (item) => lengths[item]!, 10);
    expect(packing.numRows).toBe(4);
    expect([...packing.rowStarts]).toEqual([0, 2, 4, 5, 6]);
    expect([...packing.items]).toEqual([0, 2, 1, 3, 4, 5]);
  });

  it("uses every item once, overfills no row, and wastes little", () => {
    const random = createRandom("packing");
    const lengths = Array.from({ length: 5000 }, () => 1 + random.nextInt(128));
    const order = random.shuffle(lengths.map((_, i) => i));
    const { numRows, rowStarts, items } = packFirstFit(order, (item) => lengths[item]!, 128);
    expect([...items].sort((a, b) => a - b)).toEqual(lengths.map((_, i) => i));
    for (let row = 0; row < numRows; row++) {
      const used = items
        .slice(rowStarts[row], rowStarts[row + 1])
        .reduce((sum, i) => sum + lengths[i]!, 0);
      expect(used).toBeLessThanOrEqual(128);
    }
    const total = lengths.reduce((sum, length) => sum + length, 0);
    expect(total / (numRows * 128)).toBeGreaterThan(0.9);
  });
});

describe("weightedOrder()", () => {
  it("repeats whole weights and draws the rest without repetition", () => {
    const groups = [
      { first: 0, count: 10, weight: 2.5 },
      { first: 10, count: 4, weight: 1 },
    ];
    const order = [...weightedOrder(groups, createRandom(1), true)];
    const counts = Array.from({ length: 14 }, (_, item) => order.filter((i) => i === item).length);
    expect(order.length).toBe(29);
    expect(counts.slice(0, 10).every((count) => count === 2 || count === 3)).toBe(true);
    expect(counts.slice(10)).toEqual([1, 1, 1, 1]);
    expect([...weightedOrder(groups.slice(1), createRandom(1), false)]).toEqual([10, 11, 12, 13]);
  });
});

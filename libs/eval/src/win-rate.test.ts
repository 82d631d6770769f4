import { createRandom } from "@stagecraft/core";
import { describe, expect, it } from "vitest";
import { wilsonInterval, winRate } from "./win-rate.js";

describe("winRate()", () => {
  it("counts ties half", () => {
    const { wins, losses, ties, rate } = winRate([3, 1, 2, 2], [1, 3, 2, 1]);
    expect({ wins, losses, ties, rate }).toEqual({ wins: 2, losses: 1, ties: 1, rate: 0.625 });
  });

  it("takes small differences for ties", () => {
    expect(winRate([1.04, 2], [1, 1], { tieMargin: 0.05 })).toMatchObject({ wins: 1, ties: 1 });
  });

  it("refuses lists that cannot be compared", () => {
    for (const [a, b] of [[[], []] as const, [[1], [1, 2]] as const]) {
      expect(() => winRate(a, b)).toThrow("[invalid_argument]");
    }
  });
});

describe("wilsonInterval()", () => {
  it("agrees with a hand-worked case and stays inside [0, 1]", () => {
    // 8 of 10, z = 1.96: center .7167, half width .2265.
    const [low, high] = wilsonInterval(0.8, 10);
    expect(low).toBeCloseTo(0.4902, 3);
    expect(high).toBeCloseTo(0.9433, 3);
    expect(wilsonInterval(1, 5)).toEqual([expect.closeTo(0.5655, 3), 1]);
    expect(wilsonInterval(0, 5)[0]).toBe(0);
  });

  it("covers the true share in about 95 of 100 experiments", () => {
    const random = createRandom(1);
    let covered = 0;
    for (let i = 0; i < 1000; i++) {
      let hits = 0;
      for (let j = 0; j < 100; j++) hits += random.nextFloat() < 0.7 ? 1 : 0;
      const [low, high] = wilsonInterval(hits / 100, 100);
      covered += low <= 0.7 && 0.7 <= high ? 1 : 0;
    }
    expect(Math.abs(covered / 1000 - 0.95)).toBeLessThan(0.03);
  });
});

import { describe, expect, it } from "vitest";
import { createRandom, deriveSeed, restoreRandom } from "./random.js";

describe("createRandom()", () => {
  it("repeats its stream for the same seed and differs for another", () => {
    const draw = (seed: string | number) => {
      const random = createRandom(seed);
      return Array.from({ length: 8 }, () => random.nextUint32());
    };
    expect(draw(1)).toEqual(draw(1));
    expect(draw(1)).not.toEqual(draw(2));
    expect(draw(1)).not.toEqual(draw("1"));
  });

  it("follows the reference xoshiro128++ step", () => {
    // State (1, 2, 3, 4): rotl(1 + 4, 7) + 1 = 641, by hand from the authors' definition.
    expect(restoreRandom([1, 2, 3, 4]).nextUint32()).toBe(641);
  });

  it("continues exactly from a saved state", () => {
    const random = createRandom("resume");
    random.nextNormal();
    const copy = restoreRandom(random.state());
    expect(copy.nextFloat()).toBe(random.nextFloat());
  });

  it("draws unbiased integers and standard normals", () => {
    const random = createRandom(7);
    const counts = [0, 0, 0];
    let sum = 0;
    let squares = 0;
    for (let i = 0; i < 30_000; i++) {
      counts[random.nextInt(3)]!++;
      const normal = random.nextNormal();
      sum += normal;
      squares += normal * normal;
    }
    // Five standard errors: 5·√(30000·⅓·⅔) = 408; 5/√30000 = .029; 5·√(2/30000) = .041.
    for (const count of counts) expect(Math.abs(count - 10_000)).toBeLessThan(408);
    expect(Math.abs(sum / 30_000)).toBeLessThan(0.029);
    expect(Math.abs(squares / 30_000 - 1)).toBeLessThan(0.041);
  });

  it("forks streams without advancing the parent", () => {
    const random = createRandom(3);
    const before = random.state();
    const fork = random.fork("a");
    expect(random.state()).toEqual(before);
    expect(fork.nextUint32()).not.toBe(random.fork("b").nextUint32());
  });

  it("shuffles into a permutation", () => {
    const items = createRandom(5).shuffle(Array.from({ length: 50 }, (_, i) => i));
    expect(items).not.toEqual([...items].sort((a, b) => a - b));
    expect(new Set(items).size).toBe(50);
  });

  for (const bound of [0, -1, 1.5, 2 ** 32 + 1]) {
    it(`refuses the bound ${bound}`, () => {
      expect(() => createRandom(0).nextInt(bound)).toThrow(RangeError);
    });
  }
});

describe("deriveSeed()", () => {
  it("separates its parts", () => {
    expect(deriveSeed("a", "bc")).not.toBe(deriveSeed("ab", "c"));
    expect(deriveSeed(1, 23)).not.toBe(deriveSeed(12, 3));
  });
});

import { createRandom } from "@stagecraft/core";
import { describe, expect, it } from "vitest";
import { drawSortInput, openSortBatches, splitOf } from "./sort-task.js";

describe("the sort task", () => {
  it("holds a quarter of the inputs out of training", () => {
    const inputs = Array.from({ length: 729 }, (_, n) =>
      Int32Array.from({ length: 6 }, (_, place) => Math.floor(n / 3 ** place) % 3),
    );
    const numTest = inputs.filter((input) => splitOf(input) === "test").length;
    expect(numTest / 729).toBeGreaterThan(0.2);
    expect(numTest / 729).toBeLessThan(0.3);
    const random = createRandom(1);
    for (let i = 0; i < 50; i++) expect(splitOf(drawSortInput(random, "test"))).toBe("test");
  });

  it("learns the sorted half only, and the same batch at the same place", async () => {
    const source = openSortBatches({ batchSize: 2, seed: 1 });
    const { ids, targets, numTargets } = await source.next();
    expect(numTargets).toBe(12);
    const input = [...ids.subarray(0, 6)];
    const sorted = input.toSorted();
    expect([...targets.subarray(0, 11)]).toEqual([-1, -1, -1, -1, -1, ...sorted]);
    expect([...ids.subarray(6, 11)]).toEqual(sorted.slice(0, 5));
    const second = await source.next();
    await source.seek({ batch: 1 });
    expect(await source.next()).toEqual(second);
  });
});

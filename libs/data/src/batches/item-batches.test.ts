import { describe, expect, it } from "vitest";
import { openItemBatches } from "./item-batches.js";

const open = (seed = 1) => openItemBatches([1, 2, 3, 4, 5], { batchSize: 2, seed });

async function take(source: ReturnType<typeof open>, count: number): Promise<number[][]> {
  const batches: number[][] = [];
  for (let i = 0; i < count; i++) batches.push(await source.next());
  return batches;
}

describe("openItemBatches()", () => {
  it("gives every item once an epoch, in another order each", async () => {
    const source = open();
    expect(source.batchesPerEpoch).toBe(3);
    const [first, second] = [await take(source, 3), await take(source, 3)];
    for (const epoch of [first, second]) {
      expect(epoch.map((batch) => batch.length)).toEqual([2, 2, 1]);
      expect(epoch.flat().sort()).toEqual([1, 2, 3, 4, 5]);
    }
    expect(first).not.toEqual(second);
    expect(await take(open(2), 3)).not.toEqual(first);
  });

  it("goes on from any position with the very same batches", async () => {
    const whole = await take(open(), 9);
    for (let done = 0; done < 9; done++) {
      const before = open();
      await take(before, done);
      const after = open();
      await after.seek(before.position());
      expect(await take(after, 9 - done)).toEqual(whole.slice(done));
    }
  });

  it("refuses to go over nothing, and a position of another kind", async () => {
    expect(() => openItemBatches([], { batchSize: 1, seed: 1 })).toThrow("nothing to train on");
    await expect(open().seek({ windows: 3 })).rejects.toThrow('needs "epoch"');
  });
});

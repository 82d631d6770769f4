import { describe, expect, it } from "vitest";
import { StagecraftError } from "@stagecraft/core";
import { createCancelling } from "@stagecraft/rpc";
import { createBatcher } from "./batcher.js";

/** A run that finishes when told. */
function controlled(options: { maxBatch: number; maxWaitMs: number; maxQueued: number }) {
  const batches: { items: number[]; finish(): void; fail(e: Error): void }[] = [];
  const waiters: (() => void)[] = [];
  const batcher = createBatcher<number, number>({
    ...options,
    run: (items) =>
      new Promise((resolve, reject) => {
        const finish = () => resolve(items.map((i) => i * 10));
        batches.push({ items, finish, fail: reject });
        waiters.splice(0).forEach((wake) => wake());
      }),
  });
  const started = async (count: number) => {
    while (batches.length < count) await new Promise<void>((wake) => waiters.push(wake));
    return batches[count - 1]!;
  };
  return { batcher, batches, started };
}

describe("createBatcher()", () => {
  it("joins callers into one run and gives each their own answers in order", async () => {
    const { batcher, started } = controlled({ maxBatch: 4, maxWaitMs: 60_000, maxQueued: 9 });
    const first = batcher.submit([1, 2]);
    const second = batcher.submit([3, 4]);
    const batch = await started(1);
    expect(batch.items).toEqual([1, 2, 3, 4]);
    batch.finish();
    expect(await Promise.all([first, second])).toEqual([
      [10, 20],
      [30, 40],
    ]);
  });

  it("runs a lone item after the wait", async () => {
    const { batcher, started } = controlled({ maxBatch: 4, maxWaitMs: 5, maxQueued: 9 });
    const before = performance.now();
    const answer = batcher.submit([1]);
    (await started(1)).finish();
    expect(await answer).toEqual([10]);
    expect(performance.now() - before).toBeGreaterThan(3);
  });

  it("collects the next batch while one runs and splits what is too large", async () => {
    const { batcher, started } = controlled({ maxBatch: 2, maxWaitMs: 0, maxQueued: 9 });
    const answers = batcher.submit([1, 2, 3, 4, 5]);
    for (const [n, items] of [
      [1, [1, 2]],
      [2, [3, 4]],
      [3, [5]],
    ] as const) {
      const batch = await started(n);
      expect(batch.items).toEqual(items);
      batch.finish();
    }
    expect(await answers).toEqual([10, 20, 30, 40, 50]);
  });

  it("refuses what does not fit into the queue as a whole", async () => {
    const { batcher, started } = controlled({ maxBatch: 1, maxWaitMs: 0, maxQueued: 2 });
    const running = batcher.submit([1]);
    const first = await started(1);
    const waiting = batcher.submit([2]);
    await expect(batcher.submit([3, 4])).rejects.toMatchObject({ code: "resource_exhausted" });
    expect(batcher.numQueued).toBe(1);
    first.finish();
    (await started(2)).finish();
    expect(await Promise.all([running, waiting])).toEqual([[10], [20]]);
  });

  it("lets a cancelled caller's items leave the queue", async () => {
    const { batcher, started, batches } = controlled({ maxBatch: 2, maxWaitMs: 0, maxQueued: 9 });
    const running = batcher.submit([1, 2]);
    const first = await started(1);
    const caller = createCancelling();
    const cancelled = batcher.submit([3], caller);
    const other = batcher.submit([4]);
    caller.cancel(new StagecraftError("cancelled", "the caller hung up"));
    await expect(cancelled).rejects.toMatchObject({ code: "cancelled" });
    first.finish();
    const second = await started(2);
    expect(second.items).toEqual([4]);
    second.finish();
    await Promise.all([running, other]);
    expect(batches).toHaveLength(2);
  });

  it("fails only the batch that failed and finishes the rest on close", async () => {
    const { batcher, started } = controlled({ maxBatch: 1, maxWaitMs: 0, maxQueued: 9 });
    const bad = batcher.submit([1]);
    const good = batcher.submit([2]);
    (await started(1)).fail(new Error("boom"));
    await expect(bad).rejects.toThrow("boom");
    const closing = batcher.close();
    await expect(batcher.submit([3])).rejects.toMatchObject({ code: "unavailable" });
    (await started(2)).finish();
    expect(await good).toEqual([20]);
    await closing;
  });
});

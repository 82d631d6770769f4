import { describe, expect, it } from "vitest";
import { BufferPool } from "./buffers.js";

describe("BufferPool", () => {
  it("reuses arrays of the same length", () => {
    const pool = new BufferPool();
    const first = pool.take(100);
    pool.give(first);
    expect(pool.take(100)).toBe(first);
    expect(pool.take(100)).not.toBe(first);
    expect(pool.report()).toEqual({ usedBytes: 800, idleBytes: 0, numAllocated: 2 });
  });

  it("lets lengths go that are no longer asked for", () => {
    const pool = new BufferPool();
    const megabytes = (count: number) => (count * 2 ** 20) / 4;
    for (let size = 1; size <= 100; size++) pool.give(pool.take(megabytes(size)));
    const { usedBytes, idleBytes } = pool.report();
    expect(usedBytes).toBe(0);
    expect(idleBytes).toBeLessThanOrEqual((1.5 * 100 + 8) * 2 ** 20);
    const { numAllocated } = pool.report();
    pool.take(megabytes(100));
    expect(pool.report().numAllocated).toBe(numAllocated); // the latest is still there
  });
});

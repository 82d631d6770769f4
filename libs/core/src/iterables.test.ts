import { describe, expect, it, vi } from "vitest";
import { mapAsync, openLater } from "./iterables.js";

/** 1, 2, 3; tells when it is left. */
function source() {
  const left = vi.fn();
  async function* numbers() {
    try {
      for (const n of [1, 2, 3]) yield await Promise.resolve(n);
    } finally {
      left();
    }
  }
  return { left, numbers: numbers() };
}

async function all<T>(values: AsyncIterable<T>): Promise<T[]> {
  const list: T[] = [];
  for await (const value of values) list.push(value);
  return list;
}

async function first<T>(values: AsyncIterable<T>): Promise<T | undefined> {
  for await (const value of values) return value;
  return undefined;
}

describe("mapAsync()", () => {
  it("changes each value, and ends as its source does", async () => {
    expect(await all(mapAsync(source().numbers, (n) => n * 10))).toEqual([10, 20, 30]);
    const failing = mapAsync(
      (async function* () {
        yield await Promise.resolve(1);
        throw new Error("broken");
      })(),
      (n) => n,
    );
    await expect(all(failing)).rejects.toThrow("broken");
  });

  it("leaves its source when it is left, and when a change throws", async () => {
    const one = source();
    expect(await first(mapAsync(one.numbers, (n) => n))).toBe(1);
    expect(one.left).toHaveBeenCalledTimes(1);
    const other = source();
    const throwing = mapAsync(other.numbers, (n) => {
      if (n === 2) throw new Error("no 2");
      return n;
    });
    await expect(all(throwing)).rejects.toThrow("no 2");
    await vi.waitFor(() => expect(other.left).toHaveBeenCalledTimes(1));
  });

  it("tells a change's own error, whatever leaving its source throws", async () => {
    let timesLeft = 0;
    const leave = () => {
      timesLeft++; // no mock: it would take the rejection, which nobody else must leave unhandled
      return Promise.reject(new Error("cannot be left"));
    };
    const next = () => Promise.resolve({ done: false as const, value: 1 });
    const stuck = { [Symbol.asyncIterator]: () => ({ next, return: leave }) };
    const throwing = mapAsync(stuck, () => {
      throw new Error("no 1");
    });
    await expect(all(throwing)).rejects.toThrow("no 1");
    expect(timesLeft).toBe(1);
  });
});

describe("openLater()", () => {
  it("opens at the first value, once, and leaves what it opened", async () => {
    const { numbers, left } = source();
    const open = vi.fn(() => Promise.resolve(numbers));
    const values = openLater(open);
    expect(open).not.toHaveBeenCalled();
    expect(await first(values)).toBe(1);
    expect(open).toHaveBeenCalledTimes(1);
    expect(left).toHaveBeenCalledTimes(1);
    expect(await all(openLater(() => Promise.resolve(source().numbers)))).toEqual([1, 2, 3]);
  });

  it("gives the error of opening as that of the first value, and may be left before it", async () => {
    const failing = openLater(() => Promise.reject(new Error("closed")));
    await expect(all(failing)).rejects.toThrow("closed");
    const open = vi.fn(() => Promise.resolve(source().numbers));
    const left = openLater(open)[Symbol.asyncIterator]();
    await left.return!();
    expect((await left.next()).done).toBe(true);
    expect(open).not.toHaveBeenCalled();
  });
});

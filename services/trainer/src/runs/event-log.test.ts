import { describe, expect, it } from "vitest";
import { createEventLog, type Logged } from "./event-log.js";

async function collect<T>(events: AsyncIterable<Logged<T>>): Promise<[number, T][]> {
  const seen: [number, T][] = [];
  for await (const { sequence, event } of events) seen.push([sequence, event]);
  return seen;
}

describe("createEventLog()", () => {
  const { signal } = new AbortController();

  it("gives a reader of an earlier log everything of one that begins later", async () => {
    const log = createEventLog<string>(10, 1000);
    log.append("a");
    log.append("b");
    const isOver = () => true;
    expect(await collect(log.read({ after: 500, signal, isOver }))).toEqual([
      [1001, "a"],
      [1002, "b"],
    ]);
    expect(await collect(log.read({ after: 1001, signal, isOver }))).toEqual([[1002, "b"]]);
  });

  it("gives every reader all events from its point on, then new ones until it is over", async () => {
    const log = createEventLog<string>(10);
    let over = false;
    log.append("a");
    log.append("b");
    const all = collect(log.read({ after: 0, signal, isOver: () => over }));
    const late = collect(log.read({ after: 1, signal, isOver: () => over }));
    await Promise.resolve();
    log.append("c");
    over = true;
    log.append("d");
    expect(await all).toEqual([
      [1, "a"],
      [2, "b"],
      [3, "c"],
      [4, "d"],
    ]);
    expect(await late).toHaveLength(3);
    expect(log.lastSequence).toBe(4);
  });

  it("drops the oldest and shows the gap in the numbers", async () => {
    const log = createEventLog<number>(3);
    for (let i = 1; i <= 20; i++) log.append(i);
    const seen = await collect(log.read({ after: 2, signal, isOver: () => true }));
    expect(seen.length).toBeGreaterThanOrEqual(3);
    expect(seen.length).toBeLessThan(6);
    expect(seen.at(-1)).toEqual([20, 20]);
    for (const [sequence, value] of seen) expect(value).toBe(sequence);
  });

  it("stops a waiting reader when its signal fires", async () => {
    const controller = new AbortController();
    const log = createEventLog<number>(3);
    const waiting = collect(log.read({ after: 0, signal: controller.signal, isOver: () => false }));
    controller.abort();
    await expect(waiting).rejects.toMatchObject({ code: "cancelled" });
  });
});

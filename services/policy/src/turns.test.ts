import { describe, expect, it } from "vitest";
import { createTurns } from "./turns.js";

describe("createTurns()", () => {
  it("runs one at a time, urgent work before what waits", async () => {
    const turns = createTurns();
    const order: string[] = [];
    let release = () => {};
    const held = new Promise<void>((resolve) => (release = resolve));
    const add = (name: string, urgent = false) =>
      turns.run(() => Promise.resolve(void order.push(name)), { urgent });
    const first = turns.run(() => held.then(() => void order.push("first")));
    const rest = [add("a"), add("b"), add("load", true), add("load 2", true)];
    expect(turns.urgentWaits).toBe(true);
    release();
    await Promise.all([first, ...rest]);
    expect(order).toEqual(["first", "load", "load 2", "a", "b"]);
    await turns.idle();
  });

  it("never begins what was cancelled while it waited", async () => {
    const turns = createTurns();
    let release = () => {};
    const first = turns.run(() => new Promise<void>((resolve) => (release = resolve)));
    const controller = new AbortController();
    let begun = false;
    const second = turns.run(() => Promise.resolve((begun = true)), { signal: controller.signal });
    controller.abort();
    await expect(second).rejects.toMatchObject({ code: "cancelled" });
    release();
    await first;
    await turns.idle();
    expect(begun).toBe(false);
  });
});

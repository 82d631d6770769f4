import { describe, expect, it } from "vitest";
import { createSerialQueue } from "./serial-queue.js";

describe("createSerialQueue()", () => {
  it("begins a piece of work when the one before has ended, and goes on after a failure", async () => {
    const queue = createSerialQueue();
    const seen: string[] = [];
    let open!: () => void;
    const first = queue.run(async () => {
      seen.push("first begins");
      await new Promise<void>((resolve) => (open = resolve));
      seen.push("first ends");
      return 1;
    });
    const second = queue.run(() => {
      seen.push("second");
      throw new Error("no");
    });
    const third = queue.run(() => seen.push("third"));
    await Promise.resolve();
    open();
    await expect(second).rejects.toThrow("no");
    expect([await first, await third]).toEqual([1, 4]);
    expect(seen).toEqual(["first begins", "first ends", "second", "third"]);
  });

  it("is idle when everything given until then has ended, failures included", async () => {
    const queue = createSerialQueue();
    let done = false;
    const failing = queue.run(async () => {
      await Promise.resolve();
      done = true;
      throw new Error("no");
    });
    const heard = expect(failing).rejects.toThrow("no");
    await queue.idle();
    expect(done).toBe(true);
    await heard;
  });
});

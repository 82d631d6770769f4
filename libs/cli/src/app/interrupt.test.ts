import { EventEmitter } from "node:events";
import { describe, expect, it } from "vitest";
import { listenForInterrupt } from "./interrupt.js";

function setUp() {
  const source = new EventEmitter();
  const calls: (string | number)[] = [];
  let ms = 1000;
  const interrupt = listenForInterrupt({
    source,
    now: () => ms,
    onFirst: () => calls.push("first"),
    onSecond: (code) => calls.push(code),
  });
  return {
    interrupt,
    calls,
    press(signal: string, afterMs: number) {
      ms += afterMs;
      source.emit(signal);
    },
    source,
  };
}

describe("listenForInterrupt()", () => {
  it("asks for a clean stop on the first Ctrl-C and ends the process on the second", () => {
    const { interrupt, calls, press } = setUp();
    expect(interrupt.exitCode()).toBeUndefined();
    press("SIGINT", 0);
    expect([interrupt.signal.aborted, interrupt.exitCode(), calls]).toEqual([true, 130, ["first"]]);
    press("SIGINT", 1000);
    expect(calls).toEqual(["first", 130]);
  });

  it("takes one key press that arrives twice, as under npx, for one", () => {
    const { calls, press } = setUp();
    press("SIGINT", 0);
    press("SIGINT", 3);
    expect(calls).toEqual(["first"]);
  });

  it("tells SIGTERM from Ctrl-C", () => {
    const { interrupt, press } = setUp();
    press("SIGTERM", 0);
    expect(interrupt.exitCode()).toBe(143);
  });

  it("removes its listeners", () => {
    const { interrupt, source } = setUp();
    interrupt.dispose();
    expect([source.listenerCount("SIGINT"), source.listenerCount("SIGTERM")]).toEqual([0, 0]);
  });
});

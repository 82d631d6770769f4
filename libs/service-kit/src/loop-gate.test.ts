import { describe, expect, it } from "vitest";
import { createLoopGate } from "./loop-gate.js";

describe("createLoopGate()", () => {
  it("lets the event loop turn between large pieces, in their order", async () => {
    const gate = createLoopGate(10);
    const order: string[] = [];
    let turns = 0;
    let counting = true;
    const count = () => {
      turns++;
      if (counting) setImmediate(count);
    };
    setImmediate(count);
    const pieces = ["a", "b", "c"].map((name) =>
      gate(100).then(() => order.push(`${name}${turns}`)),
    );
    await Promise.all([...pieces, gate(1).then(() => order.push("small"))]);
    counting = false;
    const at = order.slice(0, 3).map((text) => Number(text.slice(1)));
    expect(order.map((text) => text.replace(/\d+$/, ""))).toEqual(["a", "b", "c", "small"]);
    expect(at[1]).toBeGreaterThan(at[0]!);
    expect(at[2]).toBeGreaterThan(at[1]!);
  });

  it("costs small pieces no turn", async () => {
    const gate = createLoopGate(10);
    let turned = false;
    setImmediate(() => (turned = true));
    for (let i = 0; i < 5; i++) await gate(2);
    expect(turned).toBe(false);
    await gate(2);
    expect(turned).toBe(true);
  });
});

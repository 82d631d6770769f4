import { setImmediate as turn } from "node:timers/promises";
import { describe, expect, it } from "vitest";
import { createBurst } from "./burst.js";

function rig() {
  const delivered: string[][] = [];
  const clock = { ms: 0 };
  const burst = createBurst<string>(
    (items) => delivered.push(items),
    () => clock.ms,
  );
  return { burst, delivered, clock };
}

describe("createBurst()", () => {
  it("delivers what comes in one turn, and in turns that follow each other, together", async () => {
    const { burst, delivered } = rig();
    burst.add(["a"]);
    burst.add(["b", "c"]);
    setImmediate(() => burst.add(["d"]));
    for (let i = 0; i < 4; i++) await turn();
    expect(delivered).toEqual([["a", "b", "c", "d"]]);
    burst.add(["e"]);
    for (let i = 0; i < 3; i++) await turn();
    expect(delivered.slice(1)).toEqual([["e"]]);
  });

  it("cuts a burst that does not end", async () => {
    const { burst, delivered, clock } = rig();
    for (let i = 0; i < 12; i++) {
      burst.add([String(i)]);
      clock.ms++;
      await turn();
    }
    expect(delivered.length).toBeGreaterThan(1);
    for (let i = 0; i < 3; i++) await turn();
    expect(delivered.flat()).toEqual(Array.from({ length: 12 }, (_, i) => String(i)));
  });
});

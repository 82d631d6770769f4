import type { StageProgress } from "@stagecraft/runs";
import { describe, expect, it } from "vitest";
import { createRetryDelays } from "./transient-failures.js";

const at = (done: number): StageProgress => ({ stage: "ppo", done, total: 9, unit: "steps" });

describe("createRetryDelays()", () => {
  it("doubles the wait while a run gets nowhere, to a minute", () => {
    const delays = createRetryDelays();
    const waits = Array.from({ length: 8 }, () =>
      delays.next("r1", { workedMs: 500, progress: at(3) }),
    );
    expect(waits).toEqual([1, 2, 4, 8, 16, 32, 60, 60].map((seconds) => seconds * 1000));
    expect(delays.next("r2", { workedMs: 500 })).toBe(1000);
  });

  it("begins again when the run got further, or worked for long", () => {
    const delays = createRetryDelays();
    const wait = (progress: StageProgress | undefined, workedMs = 500) =>
      delays.next("r1", { workedMs, progress });
    expect([wait(undefined), wait(undefined)]).toEqual([1000, 2000]);
    expect([wait(at(4)), wait(at(4)), wait(at(3))]).toEqual([1000, 2000, 4000]);
    expect([wait(at(4)), wait(at(5)), wait(at(5))]).toEqual([8000, 1000, 2000]);
    expect(wait(at(5), 61_000)).toBe(1000);
  });
});

import { describe, expect, it } from "vitest";
import { runRounds } from "./run-rounds.js";

async function roundsRun(last: { done: number; wanted: number }): Promise<number[]> {
  const rounds: number[] = [];
  const run = (round: number) => {
    rounds.push(round);
    return Promise.resolve(round <= last.done);
  };
  await runRounds(3, { run, goesOn: (round) => Promise.resolve(round <= last.wanted) });
  return rounds;
}

describe("rounds by themselves", () => {
  it("follow one another until the operator's setting says no", async () => {
    expect(await roundsRun({ done: 9, wanted: 5 })).toEqual([3, 4, 5]);
    expect(await roundsRun({ done: 9, wanted: 0 })).toEqual([3]);
  });

  it("end at one that failed or was stopped, whatever the setting", async () => {
    expect(await roundsRun({ done: 3, wanted: 9 })).toEqual([3, 4]);
  });
});

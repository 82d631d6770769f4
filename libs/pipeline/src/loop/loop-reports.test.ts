import { feedback } from "@stagecraft/contracts";
import { StagecraftError } from "@stagecraft/core";
import { silentReporter } from "@stagecraft/runs";
import { gate } from "@stagecraft/testing";
import { describe, expect, it } from "vitest";
import { createLoopReports, roundResult } from "./loop-reports.js";
import type { LoopRound } from "./loop-state.js";

const row = {
  ...{ round: 2, newRankings: 10, promoted: true, candidateAccuracy: 0.7, inUseAccuracy: 0.6 },
  ...{ evalScore: null, policy: "runs/loop/rounds/0002/ppo/model" },
} as LoopRound;

/** Reports whose sending is held up until the gate opens. */
function heldUp() {
  const told: feedback.ReportLoopRequest[] = [];
  const open = gate();
  const send = async (report: feedback.ReportLoopRequest) => {
    told.push(report);
    await open.opened;
  };
  return { told, open, reports: createLoopReports("runs/loop", send, silentReporter()) };
}

describe("createLoopReports()", () => {
  it("says what a round waits for, in counts", async () => {
    const { told, open, reports } = heldUp();
    open.open();
    reports.begins(2);
    await reports.close();
    const need = { what: "rankings", have: 3, needed: 10 };
    reports.waits([{ text: "3 of 10 new ones", need }, { text: "more are needed" }]);
    await reports.close();
    expect(told.at(-1)).toMatchObject({
      ...{ loop: "runs/loop", round: 2, state: feedback.LoopState.WAITING, waitsFor: [need] },
      text: "Round 2 waits for people: 3 of 10 rankings.",
    });
  });

  it("says how far a step is, and nothing of steps that are no people's business", async () => {
    const { told, open, reports } = heldUp();
    open.open();
    const seen: string[] = [];
    const inner = silentReporter({ progress: ({ stage }) => void seen.push(stage) });
    const { progress } = reports.listening(inner);
    progress({ stage: "ppo", done: 5, total: 20, unit: "steps" });
    progress({ stage: "other", done: 5, total: 20, unit: "steps" });
    await reports.close();
    expect(seen).toEqual(["ppo", "other"]);
    expect(told).toMatchObject([{ state: feedback.LoopState.PPO, progress: 0.25 }]);
  });

  it("sends the last of what waits, and leaves out no finished round", async () => {
    const { told, open, reports } = heldUp();
    reports.begins(2);
    await Promise.resolve();
    const { progress } = reports.listening(silentReporter());
    for (let done = 0; done < 9; done++) progress({ stage: "ppo", done, total: 9, unit: "steps" });
    reports.finished(row);
    reports.finished({ ...row, round: 3 });
    reports.ended();
    open.open();
    await reports.close();
    const two = { round: 2, newRankings: 10, rewardAccuracy: 0.7, policyVersion: row.policy };
    const state = feedback.LoopState.IDLE;
    expect(told).toMatchObject([
      { state: feedback.LoopState.COLLECTING },
      { state, finished: two },
      { state, finished: { ...two, round: 3 } },
    ]);
    expect(roundResult(row, "assistant-2").policyVersion).toBe("assistant-2");
  });

  it("tells a failure with its reason, a stop as none, and warns once where nobody listens", async () => {
    const warnings: string[] = [];
    const told: feedback.LoopState[] = [];
    const send = ({ state }: feedback.ReportLoopRequest) => {
      told.push(state);
      return Promise.reject(new StagecraftError("unavailable", "nobody is there"));
    };
    const reporter = silentReporter({ warn: (text) => warnings.push(text) });
    const reports = createLoopReports("l", send, reporter);
    for (const code of ["cancelled", "internal"] as const) {
      reports.ended(new StagecraftError(code, "why"));
      await reports.close();
    }
    expect(told).toEqual([feedback.LoopState.IDLE, feedback.LoopState.FAILED]);
    expect(warnings).toEqual([expect.stringContaining("the loop goes on: nobody is there")]);
  });

  it("tells a finished round until the service has it, and those of before its start", async () => {
    const rounds: (number | undefined)[] = [];
    let numFailures = 3;
    const send = ({ finished }: feedback.ReportLoopRequest) => {
      if (numFailures-- > 0) return Promise.reject(new StagecraftError("unavailable", "away"));
      rounds.push(finished?.round);
      return Promise.resolve();
    };
    const warnings: string[] = [];
    const reporter = silentReporter({ warn: (text) => warnings.push(text) });
    const reports = createLoopReports("l", send, reporter);
    reports.goesOn([{ ...row, round: 1 }]);
    reports.finished(row);
    await reports.close(); // fails twice
    expect([rounds, warnings.at(-1)]).toEqual([
      [],
      expect.stringContaining("lack 2 finished rounds"),
    ]);
    reports.begins(3);
    await reports.close(); // fails once, then all is told
    expect(rounds).toEqual([1, 2]);
  });
});

import { feedback } from "@stagecraft/contracts";
import { describe, expect, it } from "vitest";
import { reportOf } from "./loop-events.js";

const about = { loop: "studio", round: 2 };

describe("reportOf()", () => {
  it("says what a round waits for, in counts", () => {
    const message =
      "waiting for rankings at the feedback service: 3 of 10 new ones, 4 of 12 prompts ranked (there are 12)";
    expect(reportOf({ event: "info", message }, about)).toMatchObject({
      state: feedback.LoopState.WAITING,
      waitsFor: [
        { what: "rankings", have: 3, needed: 10 },
        { what: "prompts ranked", have: 4, needed: 12 },
      ],
      text: "Round 2 waits for people: 3 of 10 rankings, 4 of 12 prompts ranked.",
    });
  });

  it("says which step is how far, and what a finished round gave", () => {
    const progress = { event: "progress", stage: "ppo", done: 5, total: 20 } as const;
    expect(reportOf(progress, about)).toMatchObject({
      state: feedback.LoopState.PPO,
      progress: 0.25,
    });
    const round = { round: 2, newRankings: 10, promoted: true, candidateAccuracy: 0.7 };
    const ended = { event: "metrics", kind: "round", ...round, evalScore: null } as const;
    expect(reportOf(ended, about)?.finished).toMatchObject({
      ...{ round: 2, newRankings: 10, rewardAccuracy: 0.7, evalScore: undefined },
    });
  });

  it("makes nothing of lines that are about something else", () => {
    expect(reportOf({ event: "info", message: "hello" }, about)).toBeUndefined();
    expect(reportOf({ event: "metrics", kind: "update" }, about)).toBeUndefined();
  });
});

import { describe, expect, it } from "vitest";
import { checkAlarms, initialAlarmState, staleWeightsAlarm } from "./alarms.js";
import type { UpdateSignals } from "./signals.js";

const HEALTHY: UpdateSignals = {
  score: 0.5,
  scoreStd: 1,
  objective: 0.4,
  kl: 0.3,
  klStdErr: 0.05,
  klCoef: 0.1,
  responseLength: 20,
  eosRate: 1,
  explainedVariance: 0.5,
  lengthCorrelation: 0.1,
  numTokens: 1000,
  staleness: 0,
  maxImportance: 1,
  policyLoss: 0,
  valueLoss: 0.1,
  entropy: 2,
  approxKl: 0.005,
  clipFraction: 0.02,
  valueClipFraction: 0,
  firstRatioError: 1e-6,
  samplerLogProbError: 1e-6,
  policyGradNorm: 1,
  criticGradNorm: 1,
  ptxLoss: 0,
  epochsRun: 4,
  learningRate: 1e-4,
};

/** Codes that sound over a healthy update followed by `count` times the given one. */
function codes(change: Partial<UpdateSignals>, count: number): string[] {
  let { state } = checkAlarms(HEALTHY, initialAlarmState());
  const heard: string[] = [];
  for (let i = 0; i < count; i++) {
    const result = checkAlarms({ ...HEALTHY, ...change }, state, { maxStaleness: 4 });
    heard.push(...result.alarms.map(({ code }) => code));
    state = result.state;
  }
  return heard;
}

describe("checkAlarms()", () => {
  it("is silent on healthy signals", () => expect(codes({}, 30)).toEqual([]));

  for (const [code, change, updates] of [
    ["negative-kl", { kl: -0.2, klStdErr: 0.05 }, 1],
    ["ratio-not-one", { firstRatioError: 0.01 }, 1],
    ["sampler-mismatch", { samplerLogProbError: 2e-4 }, 1],
    ["clip-fraction", { clipFraction: 0.4 }, 3],
    ["approx-kl", { approxKl: 0.2 }, 3],
    ["entropy-collapse", { entropy: 0.3 }, 2],
    ["length-drift", { responseLength: 45 }, 2],
    ["length-drift", { responseLength: 8 }, 2],
    ["no-end", { eosRate: 0 }, 1],
    ["eos-rate", { eosRate: 0.3 }, 2],
    ["length-bias", { lengthCorrelation: 0.95 }, 2],
    ["critic", { explainedVariance: -0.1 }, 20],
    ["stale-weights", { staleness: 4 }, 10],
    ["off-policy", { maxImportance: 11 }, 3],
  ] as const) {
    it(`sounds ${code} once after ${updates} updates of ${JSON.stringify(change)}`, () => {
      expect(codes(change, updates - 1)).toEqual([]);
      expect(codes(change, updates + 5)).toEqual([code]);
    });
  }

  it("says what each means and what to try", () => {
    const wrong = { kl: -1, firstRatioError: 1, samplerLogProbError: 1 };
    const { alarms } = checkAlarms({ ...HEALTHY, ...wrong }, initialAlarmState());
    expect(alarms).toHaveLength(3);
    for (const { meaning, advice } of [...alarms, staleWeightsAlarm("old")]) {
      expect(meaning.length).toBeGreaterThan(20);
      expect(advice.length).toBeGreaterThan(20);
    }
  });

  it("calls no staleness an alarm in a synchronous run", () => {
    const { alarms } = checkAlarms({ ...HEALTHY, staleness: 0 }, initialAlarmState());
    expect(alarms).toEqual([]);
  });

  it("sounds no-end at the first update, and not where answers have no end token", () => {
    const heard = (canEnd: boolean) =>
      checkAlarms({ ...HEALTHY, eosRate: 0 }, initialAlarmState(), { canEnd }).alarms;
    expect(heard(true).map(({ code }) => code)).toEqual(["no-end"]);
    expect(heard(false)).toEqual([]);
  });

  it("tells falling gold under rising score", () => {
    let state = initialAlarmState();
    const heard: string[] = [];
    for (const [score, gold] of [
      [0.1, 0.5],
      [0.3, 0.8],
      [0.5, 0.7],
      [0.6, 0.6],
      [0.7, 0.5],
      [0.8, 0.5],
    ] as const) {
      const result = checkAlarms({ ...HEALTHY, score }, state, { gold });
      heard.push(...result.alarms.map(({ message }) => message));
      state = result.state;
    }
    expect(heard).toEqual(["gold score fell from 0.800 to 0.500 while the reward model's rose"]);
  });
});

import { describe, expect, it } from "vitest";
import type { Evaluation } from "@stagecraft/eval";
import { barLine, judge } from "../checks/bars.js";
import { demoClaims } from "./claims.js";
import { PRESETS, type PresetName } from "./presets.js";

/** An evaluation of three models; PPO's gold score lies below SFT's. */
function claims(preset: PresetName) {
  const model = (name: string, gold: number) => ({
    model: name,
    meanTokens: 10,
    exact: { overall: { rate: 0.5 } },
    scores: { gold: { overall: gold } },
  });
  const models = [model("base", 0.2), model("sft", 0.7), model("ppo", 0.692)];
  const evaluation = { models, winRates: [] } as unknown as Evaluation;
  return judge(demoClaims(preset, { stages: new Map(), evaluation, ppo: [] }));
}

const goldLine = (preset: PresetName) =>
  claims(preset)
    .map(barLine)
    .find((line) => line.includes("gold score"));

describe("demoClaims()", () => {
  it("a passed claim never says that PPO is above SFT when it is below", () => {
    expect(goldLine("tiny")).toBe("✔ PPO gold score minus SFT's: -0.008 (at least -0.05)");
    expect(goldLine("default")).toBe("✘ PPO gold score minus SFT's: -0.008 (at least 0.02)");
  });

  for (const preset of PRESETS) {
    it(`${preset}: names what is measured and no direction`, () => {
      for (const { name } of claims(preset)) expect(name).not.toMatch(/above|below|more|less/);
    });
  }
});

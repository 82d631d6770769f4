import { describe, expect, it } from "vitest";
import { totalsOf, type RolloutToShow } from "./rollout-data.js";
import { renderRollouts } from "./rollout-page.js";
import { rolloutText } from "./rollout-text.js";

const token = (text: string, figures: Partial<RolloutToShow["tokens"][number]> = {}) => ({
  text,
  id: 7,
  logProb: -0.5,
  refLogProb: -0.7,
  kl: 0.2,
  value: 0.1,
  advantage: 0.4,
  reward: -0.02,
  ...figures,
});

/** β = .1: rewards −.02, −.02 and 1 − .02 with a score of 1. */
const rollout: RolloutToShow = {
  update: 3,
  rolloutId: "u000003-000001/rollout",
  prompt: "<|bos|><|system|>Be brief.<|end|><|user|>1 < 2?\nyes<|end|><|assistant|>",
  answer: 'Yes <b onclick="x">',
  score: 1,
  hasEos: true,
  tokens: [
    token("Yes"),
    token(' <b onclick="x">\n', { advantage: -0.8, logProb: -3 }),
    token("<|end|>", { reward: 0.98, kl: 0.2 }),
  ],
};

describe("totalsOf()", () => {
  it("sums KL and rewards, and finds the β that they were priced with", () => {
    const { kl, reward, klCoef } = totalsOf(rollout);
    expect(kl).toBeCloseTo(0.6, 12);
    expect(reward).toBeCloseTo(0.94, 12);
    expect(klCoef).toBeCloseTo(0.1, 12);
    const free = { ...rollout, tokens: [token("a", { kl: 0 })] };
    expect(totalsOf(free).klCoef).toBeUndefined();
  });
});

describe("renderRollouts()", () => {
  const page = renderRollouts([rollout], { title: "Rollouts <3" });

  it("needs nothing from outside and escapes every text", () => {
    expect(page).not.toMatch(/<script|https?:|<b onclick|src=/);
    expect(page).toContain("&lt;b onclick=&quot;x&quot;&gt;");
    expect(page).toContain("<title>Rollouts &lt;3</title>");
  });

  it("shows the turns of the prompt without their special tokens", () => {
    expect(page).toContain('<span class="role">system</span>');
    expect(page).toContain("<p>Be brief.</p>");
    expect(page).toContain("<p>1 &lt; 2?\nyes</p>");
    expect(page.match(/<span class="role">assistant/g)).toHaveLength(1);
  });

  it("colours by sign and strength, full for the largest", () => {
    const colours = [...page.matchAll(/--advantage:color-mix\(in srgb, var\((--\w+)\) (\d+)%/g)];
    expect(colours.map(([, colour, strength]) => [colour, Number(strength)])).toEqual([
      ["--up", 43],
      ["--down", 85],
      ["--up", 43],
    ]);
  });

  it("has a choice of figures for every answer, one of them chosen", () => {
    const two = renderRollouts([rollout, rollout], { title: "t" });
    expect(two.match(/type="radio"/g)).toHaveLength(10);
    expect(two.match(/\bchecked\b(?! ~)(?!\s*\+)/g)!.length).toBeGreaterThanOrEqual(2);
    expect(new Set([...two.matchAll(/name="(colour-\d)"/g)].map((m) => m[1])).size).toBe(2);
  });
});

describe("rolloutText()", () => {
  const lines = rolloutText(rollout).split("\n");

  it("has a line for every token, with line breaks made visible", () => {
    const table = lines.slice(lines.findIndex((line) => line.startsWith("─")) + 1);
    expect(table).toHaveLength(3);
    expect(table[1]).toContain("⏎");
    expect(table[1]).toContain("−0.800");
  });

  it("draws advantages to the left and right of zero, the largest in full", () => {
    const bars = lines.filter((line) => line.includes("│"));
    expect(bars[0]).toMatch(/ ·{6}│███···$/);
    expect(bars[1]).toMatch(/ ██████│·{6}$/);
  });

  it("gives the sums in one line and writes no negative zero", () => {
    expect(lines.find((line) => line.startsWith("score"))).toContain("score − β·KL 0.940");
    const none = { ...rollout, tokens: [token("a", { kl: -1e-7, reward: 0 })] };
    expect(rolloutText(none)).not.toContain("−0.000");
  });
});

import { describe, expect, it } from "vitest";
import { topTokens } from "./top-tokens.js";

const LOGITS = Float32Array.from([0, 3, 1, 3, -2]);
const drawn = { id: 2, logProb: -2.5 };
const logProb = (logit: number, temperature: number) => {
  const weights = [...LOGITS].map((x) => Math.exp(x / temperature));
  return logit / temperature - Math.log(weights.reduce((a, b) => a + b));
};

describe("topTokens()", () => {
  it("gives the likeliest, equal ones by their id, under the temperature's softmax", () => {
    const top = topTokens(LOGITS, { temperature: 0.5, count: 2, drawn });
    expect(top.map(({ id }) => id)).toEqual([1, 3]);
    for (const each of top) expect(each.logProb).toBeCloseTo(logProb(3, 0.5), 12);
  });

  it("counts a temperature of 0 as 1, and never has more than there are", () => {
    const top = topTokens(LOGITS, { temperature: 0, count: 9, drawn: { id: 9, logProb: 0 } });
    expect(top.map(({ id }) => id)).toEqual([1, 3, 2, 0, 4]);
    expect(top[4]!.logProb).toBeCloseTo(logProb(-2, 1), 12);
  });

  it("takes over the log-prob of the token that was drawn", () => {
    expect(topTokens(LOGITS, { temperature: 1, count: 3, drawn })[2]).toEqual(drawn);
  });

  it("says so when the logits are not finite", () => {
    const bad = Float32Array.from([0, NaN]);
    expect(() => topTokens(bad, { temperature: 1, count: 1, drawn })).toThrow("not finite");
  });
});

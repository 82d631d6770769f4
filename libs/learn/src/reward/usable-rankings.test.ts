import { describe, expect, it } from "vitest";
import type { Ranking } from "@stagecraft/data";
import { fitAnswers } from "./fit-answers.js";
import { usableRankings } from "./usable-rankings.js";

const ids = (text: string) => Int32Array.from(text, (char) => char.codePointAt(0)!);

describe("fitAnswers()", () => {
  it("counts cut answers, and leaves out the pairs that cutting made identical", () => {
    const fitted = fitAnswers([ids("^good tail"), ids("^bad! tail"), ids("^ok")], [1, 3, 2], 5);
    expect(fitted.sequences).toEqual([ids("^tail"), ids("^tail"), ids("^ok")]);
    expect(fitted.pairs).toEqual([
      { winner: 0, loser: 2 },
      { winner: 2, loser: 1 },
    ]);
    expect([fitted.numCut, fitted.numAlike]).toEqual([2, 1]);
  });

  it("keeps equal answers that a rater put in order: nothing was cut there", () => {
    const fitted = fitAnswers([ids("same"), ids("same")], [1, 2], 5);
    expect(fitted.pairs).toHaveLength(1);
    expect([fitted.numCut, fitted.numAlike]).toEqual([0, 0]);
  });
});

describe("usableRankings()", () => {
  const ranking = (answers: string[], ranks = [1, 2]): Ranking => ({
    ...{ id: answers[0]!, answers, ranks },
    prompt: [{ role: "user", content: "q" }],
  });
  const all = [
    ranking(["yes", "no"]),
    ranking(["tied", "too"], [1, 1]),
    ranking(["a first tail", "another tail"]),
    ranking(["a long one", "short"]),
  ];
  const use = (overlong: "cut" | "drop" | "error", needsPairs = true) => {
    const warnings: string[] = [];
    const reporter = { warn: (message: string) => void warnings.push(message) };
    const fit = ({ answers, ranks }: Ranking) => fitAnswers(answers.map(ids), ranks, 5);
    const options = { maxLength: 5, overlong, needsPairs, what: "rankings", reporter };
    const { items, tied } = usableRankings(all, fit, options);
    return { counts: [items.length, tied.length], warnings: warnings.join("\n") };
  };

  it("leaves out what teaches nothing, and counts each reason", () => {
    const { counts, warnings } = use("cut");
    expect(counts).toEqual([2, 2]);
    expect(warnings).toContain("3 answers in 2 rankings are longer than 5 tokens");
    expect(warnings).toContain("1 pairs of answers are identical after cutting: left out");
    expect(warnings).toContain("1 rankings have no other pair: left out");
    expect(warnings).toContain("1 rankings put no answer above another: left out");
  });

  it("keeps tied rankings where single answers are learnt", () => {
    expect(use("cut", false).counts).toEqual([4, 0]);
  });

  it("drops rankings that are too long, or refuses the first by name, when told to", () => {
    expect(use("drop").counts).toEqual([1, 1]);
    expect(use("drop").warnings).toContain("2 rankings have answers longer than 5 tokens");
    expect(() => use("error")).toThrow('ranking "a first tail" has answers longer than 5 tokens');
  });
});

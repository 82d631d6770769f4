import { describe, expect, it } from "vitest";
import type { AnswerRecord, Comparison } from "@stagecraft/eval";
import { exactFellNotes, questionsWorthAsking } from "./notes.js";

const comparison = (exact: number[], gold: (number | undefined)[]): Comparison => ({
  models: ["base", "SFT", "PPO"],
  notes: [],
  kinds: [{ kind: "summary", count: 10, exact, gold }],
  winRates: [],
});

describe("the note on exact match", () => {
  it("names the kind, both figures and the reason when exact match falls and gold rises", () => {
    const [note, ...more] = exactFellNotes(comparison([0, 0.5, 0.25], [0.1, 0.6, 0.7]));
    expect(note).toContain("from SFT to PPO");
    expect(note).toContain("summary 50 % → 25 % (gold 0.60 → 0.70)");
    expect(note).toContain("reward model");
    expect(more).toEqual([]);
  });

  it.each([
    ["exact match rose", [0, 0.5, 0.75], [0.1, 0.6, 0.7]],
    ["gold fell too", [0, 0.5, 0.25], [0.1, 0.6, 0.5]],
    ["gold is not known", [0, 0.5, 0.25], [0.1, 0.6, undefined]],
  ])("is absent when %s", (_, exact, gold) => {
    expect(exactFellNotes(comparison(exact, gold))).toEqual([]);
  });
});

it("asks the shortest held-out prompt of each kind, whatever was answered", () => {
  const record = (kind: string, prompt: string) => ({ kind, prompt }) as AnswerRecord;
  expect(
    questionsWorthAsking([
      record("refusal", "Help me take the cup\naway from Anna."),
      record("question", "How old is Anna, please?"),
      record("question", "How old is Anna?"),
      record("smalltalk", "Hi"),
    ]),
  ).toEqual(["How old is Anna?", "Help me take the cup away from Anna."]);
});

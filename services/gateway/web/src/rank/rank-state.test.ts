import { createRandom, type Random } from "@stagecraft/core";
import { describe, expect, it } from "vitest";
import type { Criterion } from "../../../src/http/api/index.js";
import { isSameRanking, submittable } from "./ranking-given.js";
import {
  currentRanks,
  placesOf,
  reduceRanking,
  startRanking,
  unrankedOf,
  type RankAction,
  type RankState,
} from "./rank-state.js";

const CRITERIA: Criterion[] = [
  { id: "honest", name: "Honest", question: "Which is true?", ask: "required" },
  { id: "clear", name: "Clear", question: "Which is clear?", ask: "optional" },
];

const after = (state: RankState, ...actions: RankAction[]) => actions.reduce(reduceRanking, state);
const digit = (rank: number): RankAction => ({ type: "rank", rank });

describe("reduceRanking()", () => {
  it("ranks the answer in focus and goes to the next unranked one, from the top again", () => {
    let state = after(startRanking(4, []), { type: "focus", answer: 2 }, digit(1));
    expect([state.focus, currentRanks(state)]).toEqual([3, [null, null, 1, null]]);
    state = after(state, digit(2));
    expect(state.focus).toBe(0);
    state = after(state, digit(2), digit(4));
    expect([state.focus, currentRanks(state)]).toEqual([1, [2, 4, 1, 2]]); // a tie of A and D
  });

  it("ignores digits that are no rank here", () => {
    const state = startRanking(3, []);
    for (const rank of [0, 4, 9, 1.5, NaN]) expect(after(state, digit(rank))).toBe(state);
  });

  it("moves with the arrows and stops at both ends", () => {
    const state = startRanking(3, []);
    expect(after(state, { type: "step", by: -1 }).focus).toBe(0);
    expect(after(state, ...Array<RankAction>(5).fill({ type: "step", by: 1 })).focus).toBe(2);
  });

  it("drops between two places, closing gaps, and on a place for a tie", () => {
    const state = after(startRanking(4, []), digit(1), digit(4), digit(2)); // A 1, B 4, C 2
    const between = after(state, { type: "drop-before", answer: 3, place: 1 });
    expect(currentRanks(between)).toEqual([1, 4, 3, 2]);
    const tie = after(between, { type: "drop-on", answer: 3, rank: 1 });
    expect(currentRanks(tie)).toEqual([1, 3, 2, 1]);
    const last = after(tie, { type: "drop-before", answer: 0, place: 3 });
    expect(currentRanks(last)).toEqual([4, 3, 2, 1]);
  });

  it("keeps rows apart and undoes across them", () => {
    const overall = after(startRanking(2, CRITERIA), digit(1), digit(2));
    const honest = after(overall, { type: "row", row: 1 }, digit(2));
    expect(honest.ranks).toEqual([
      [1, 2],
      [2, null],
      [null, null],
    ]);
    expect(after(honest, { type: "undo" }).ranks).toEqual(overall.ranks);
    expect(after(honest, { type: "undo" }, { type: "undo" }).row).toBe(0);
  });

  it("takes up what was said before", () => {
    const state = startRanking(2, CRITERIA, { ranks: [2, 1], criteria: { clear: [1, 1] } });
    expect(state.ranks).toEqual([
      [2, 1],
      [null, null],
      [1, 1],
    ]);
  });
});

describe("submittable()", () => {
  it("names the row and the answers that are missing", () => {
    const state = after(startRanking(3, CRITERIA), digit(1));
    expect(submittable(state)).toEqual({
      problem: "Overall: 2 answers without a rank yet (B, C).",
      row: 0,
      answer: 1,
    });
  });

  it("asks for required criteria, leaves out untouched optional ones, never half of one", () => {
    const overall = after(startRanking(2, CRITERIA), digit(1), digit(1));
    expect(submittable(overall).problem).toMatch(/^Honest: 2 answers/);
    const honest = after(overall, { type: "row", row: 1 }, digit(2), digit(1));
    expect(submittable(honest).given).toEqual({ ranks: [1, 1], criteria: { honest: [2, 1] } });
    const half = after(honest, { type: "row", row: 2 }, digit(1));
    expect(submittable(half).problem).toBe("Clear: 1 answer without a rank yet (B).");
    expect(submittable(after(half, { type: "clear-row" })).given).toEqual(
      submittable(honest).given,
    );
  });
});

describe("500 random interactions", () => {
  for (let seed = 0; seed < 8; seed++) {
    it(`show what would be stored, whatever was done (seed ${seed})`, () => {
      const random = createRandom(seed);
      const numAnswers = 2 + random.nextInt(8);
      let state = startRanking(numAnswers, CRITERIA);
      let numComplete = 0;
      for (let i = 0; i < 500; i++) {
        const before = state;
        state = reduceRanking(before, randomAction(random, before));
        expectSound(before, state);
        const { given } = submittable(state);
        if (!given) continue;
        numComplete++;
        const shown = state.ranks.map(readFromScreen);
        expect(given.ranks).toEqual(shown[0]);
        expect(given.criteria["honest"]).toEqual(shown[1]);
        expect(given.criteria["clear"] ?? Array(numAnswers).fill(null)).toEqual(shown[2]);
        expect(isSameRanking(given, structuredClone(given))).toBe(true);
      }
      expect(numComplete).toBeGreaterThan(5);
    });
  }
});

/** The ranks as somebody reads them off the places on the screen. */
function readFromScreen(row: readonly (number | null)[]): (number | null)[] {
  const shown = Array<number | null>(row.length).fill(null);
  for (const { rank, answers } of placesOf(row)) for (const answer of answers) shown[answer] = rank;
  return shown;
}

function expectSound(before: RankState, state: RankState): void {
  expect(state.focus).toBeGreaterThanOrEqual(0);
  expect(state.focus).toBeLessThan(state.numAnswers);
  for (const row of state.ranks) {
    const shown = [...placesOf(row).flatMap(({ answers }) => answers), ...unrankedOf(row)];
    expect(shown.sort((a, b) => a - b)).toEqual(row.map((_, i) => i)); // each answer once
    for (const rank of row) {
      if (rank === null) continue;
      expect(Number.isInteger(rank) && rank >= 1 && rank <= state.numAnswers).toBe(true);
    }
  }
  if (state.past.length <= before.past.length) return;
  const back = reduceRanking(state, { type: "undo" });
  expect([back.row, back.focus, back.ranks]).toEqual([before.row, before.focus, before.ranks]);
  expect(back.past.length).toBe(before.past.length);
  const touched = state.ranks.flatMap((row, i) => (row === before.ranks[i] ? [] : [i]));
  expect(touched).toEqual([before.row]);
}

function randomAction(random: Random, state: RankState): RankAction {
  const answer = random.nextInt(state.numAnswers);
  const rank = 1 + random.nextInt(state.numAnswers);
  const kinds: RankAction[] = [
    ...[digit(rank), digit(rank), digit(rank), digit(rank)],
    { type: "rank", rank, answer },
    { type: "drop-on", answer, rank },
    { type: "drop-before", answer, place: random.nextInt(state.numAnswers + 1) },
    { type: "step", by: random.nextInt(2) * 2 - 1 },
    { type: "focus", answer },
    { type: "row", row: random.nextInt(3) },
    ...(random.nextInt(4) === 0 ? [{ type: "clear", answer } as const] : []),
    ...(random.nextInt(30) === 0 ? [{ type: "clear-row" } as const] : []),
    ...(random.nextInt(4) === 0 ? [{ type: "undo" } as const] : []),
  ];
  return kinds[random.nextInt(kinds.length)]!;
}

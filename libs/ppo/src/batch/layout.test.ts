import { describe, expect, it } from "vitest";
import {
  answerTokens,
  gatherFromRows,
  layoutSequences,
  microBatches,
  scatterToRows,
} from "./layout.js";

const sequence = (prompt: number[], response: number[]) =>
  answerTokens(Int32Array.from(prompt), Int32Array.from(response));
const SEQUENCES = [sequence([1, 2], [3, 4, 5]), sequence([6], [7]), sequence([8, 9], [10, 11])];

describe("layoutSequences()", () => {
  it("packs sequences into rows kept apart by segments", () => {
    const layout = layoutSequences(SEQUENCES, { padId: 0 });
    expect([layout.batchSize, layout.length]).toEqual([2, 4]);
    expect([...layout.ids]).toEqual([1, 2, 3, 4, 8, 9, 10, 6]);
    expect([...layout.targets]).toEqual([-1, 3, 4, 5, -1, 10, 11, 7]);
    expect([...layout.segments]).toEqual([1, 1, 1, 1, 1, 1, 1, 2]);
    expect([...layout.positions]).toEqual([0, 1, 2, 3, 0, 1, 2, 0]);
    expect([...layout.rows]).toEqual([1, 2, 3, 7, 5, 6]);
  });

  it("gives one row per sequence without packing, padding in segment 0", () => {
    const layout = layoutSequences(SEQUENCES, { padId: 99, pack: false });
    expect([...layout.ids]).toEqual([1, 2, 3, 4, 6, 99, 99, 99, 8, 9, 10, 99]);
    expect([...layout.segments]).toEqual([1, 1, 1, 1, 1, 0, 0, 0, 1, 1, 1, 0]);
  });

  it("brings values to rows and back in the order of the sequences", () => {
    const layout = layoutSequences(SEQUENCES, { padId: 0 });
    const flat = scatterToRows(layout, [1, 2, 3, 4, 5, 6]);
    expect([...flat]).toEqual([0, 1, 2, 3, 0, 5, 6, 4]);
    expect([...gatherFromRows(layout, flat)]).toEqual([1, 2, 3, 4, 5, 6]);
  });

  it("refuses an empty answer", () => {
    expect(() => layoutSequences([sequence([1], [])], { padId: 0 })).toThrow("[invalid_argument]");
  });
});

describe("microBatches()", () => {
  it("keeps the order and the token limit, but never refuses a long sequence", () => {
    expect(microBatches(SEQUENCES, 5).map((batch) => batch.length)).toEqual([2, 1]);
    expect(microBatches(SEQUENCES, 1).map((batch) => batch.length)).toEqual([1, 1, 1]);
  });
});

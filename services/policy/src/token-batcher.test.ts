import { describe, expect, it } from "vitest";
import { createTokenBatcher, spreadTokens } from "./token-batcher.js";
import type { TokenBatch } from "./thread-protocol.js";
import type { TokenChunk } from "./engine.js";

const tokens = (tokenIds: number[], change: Partial<TokenChunk> = {}): TokenChunk => ({
  ...{ tokenIds, logProbs: tokenIds.map((id) => -id), weightVersions: tokenIds.map(() => 0) },
  ...{ tops: undefined, finishReason: undefined, text: undefined, ...change },
});
const token = (tokenId: number, change: Partial<TokenChunk> = {}) => tokens([tokenId], change);
const END = { finishReason: "length", text: "all" } as const;

function rig(intervalMs: number, stepMs = 1) {
  const clock = { ms: 0 };
  const batcher = createTokenBatcher({ intervalMs, now: () => clock.ms });
  /** A step in which these answers have a token each. */
  const step = (...made: [number, TokenChunk][]) => {
    for (const [handle, each] of made) batcher.add(handle, each);
    clock.ms += stepMs;
    return toldOf(batcher.take());
  };
  return { batcher, clock, step };
}

/** The ids that each answer is told. */
function toldOf(batch: TokenBatch | undefined): Record<number, number[]> {
  const told: Record<number, number[]> = {};
  if (!batch) return told;
  const sinkOf = (handle: number) => ({
    push: ({ tokenIds }: TokenChunk) => void (told[handle] ??= []).push(...tokenIds),
    fail: () => undefined,
  });
  spreadTokens(batch, sinkOf);
  return told;
}

describe("createTokenBatcher()", () => {
  it("tells first tokens at once, those after them in one message of all answers when it is due", () => {
    const { step } = rig(6, 2);
    expect(step([1, token(10)], [2, token(20)])).toEqual({ 1: [10], 2: [20] });
    expect(step([1, token(11)], [2, token(21)])).toEqual({});
    expect(step([1, token(12)], [2, token(22)])).toEqual({});
    const all = { 1: [11, 12, 13], 2: [21, 22, 23] };
    expect(step([1, token(13)], [2, token(23)])).toEqual(all);
    expect(step([1, token(14)], [2, token(24)])).toEqual({});
  });

  it("tells an end at once with what waited of its answer, and wakes no other answer for it", () => {
    const { step } = rig(10);
    step([1, token(10)], [2, token(20)]);
    step([1, token(11)], [2, token(21)]);
    expect(step([1, token(12, END)], [2, token(22)], [3, token(30)])).toEqual({
      1: [11, 12],
      3: [30],
    });
    for (let i = 0; i < 7; i++) expect(step()).toEqual({});
    expect(step([2, token(23, END)])).toEqual({ 2: [21, 22, 23] });
    for (let i = 0; i < 20; i++) expect(step()).toEqual({});
  });

  it("lets many answers wait longer, as their readers take longer, but none beyond a tenth of a second", () => {
    const waitOf = (numAnswers: number) => {
      const { step } = rig(20);
      const handles = Array.from({ length: numAnswers }, (_, handle) => handle);
      const all = () => step(...handles.map((handle): [number, TokenChunk] => [handle, token(1)]));
      all();
      let numSteps = 1;
      while (Object.keys(all()).length === 0) numSteps++;
      return numSteps;
    };
    expect([1, 8, 16, 30, 40, 80].map(waitOf)).toEqual([20, 20, 40, 75, 100, 100]);
  });

  it("tells every step without an interval", () => {
    const { step } = rig(0);
    for (let id = 10; id < 15; id++) expect(step([1, token(id)])).toEqual({ 1: [id] });
  });

  it("gives what waited of an answer that fails, and nothing of it afterwards", () => {
    const { batcher, step } = rig(6, 2);
    step([1, token(10)], [2, token(20)]);
    step([1, token(11)], [2, token(21)]);
    expect(toldOf(batcher.leave(1))).toEqual({ 1: [11] });
    expect(batcher.leave(1)).toBeUndefined();
    step([2, token(22)]);
    expect(step([2, token(23)])).toEqual({ 2: [21, 22, 23] });
  });

  it("keeps what belongs to a token: its end, its text, the likeliest in its place", () => {
    const { batcher } = rig(0);
    const [one, other] = [[{ id: 7, logProb: -0.1 }], [{ id: 8, logProb: -0.2 }]];
    batcher.add(1, token(10, { tops: [one] }));
    batcher.add(2, token(20));
    batcher.add(1, token(11, { tops: [other], ...END }));
    const batch = batcher.take()!;
    const pushed: TokenChunk[] = [];
    spreadTokens(batch, () => ({ push: (each) => void pushed.push(each), fail: () => undefined }));
    expect(pushed).toEqual([tokens([10, 11], { tops: [one, other], ...END }), token(20)]);
  });
});

import { describe, expect, it } from "vitest";
import { createTokenBatcher, spreadTokens } from "./token-batcher.js";
import type { TokenBatch } from "./thread-protocol.js";
import type { SampledToken } from "./token-channel.js";

const token = (tokenId: number, change: Partial<SampledToken> = {}): SampledToken => ({
  ...{ tokenId, logProb: -tokenId, weightVersion: 0 },
  ...{ finishReason: undefined, text: undefined, ...change },
});
const END = { finishReason: "length", text: "all" } as const;

function rig(intervalMs: number) {
  const clock = { ms: 0 };
  const batcher = createTokenBatcher({ intervalMs, now: () => clock.ms });
  /** A step of 1 ms in which these answers have a token each. */
  const step = (...tokens: [number, SampledToken][]) => {
    for (const [handle, each] of tokens) batcher.add(handle, each);
    clock.ms++;
    return toldOf(batcher.take());
  };
  return { batcher, clock, step };
}

/** The ids that each answer is told. */
function toldOf(batch: TokenBatch | undefined): Record<number, number[]> {
  const told: Record<number, number[]> = {};
  if (!batch) return told;
  const sinkOf = (handle: number) => ({
    push: ({ tokenId }: SampledToken) => void (told[handle] ??= []).push(tokenId),
    fail: () => undefined,
  });
  spreadTokens(batch, sinkOf);
  return told;
}

describe("createTokenBatcher()", () => {
  it("tells first tokens at once, those after them in one message of all answers when it is due", () => {
    const { step } = rig(3);
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
      const all = () =>
        step(...handles.map((handle): [number, SampledToken] => [handle, token(1)]));
      all();
      let numSteps = 1;
      while (Object.keys(all()).length === 0) numSteps++;
      return numSteps;
    };
    expect([1, 10, 40, 60, 80].map(waitOf)).toEqual([20, 20, 60, 90, 100]);
  });

  it("tells every step without an interval", () => {
    const { step } = rig(0);
    for (let id = 10; id < 15; id++) expect(step([1, token(id)])).toEqual({ 1: [id] });
  });

  it("gives what waited of an answer that fails, and nothing of it afterwards", () => {
    const { batcher, step } = rig(3);
    step([1, token(10)], [2, token(20)]);
    step([1, token(11)], [2, token(21)]);
    expect(toldOf(batcher.leave(1))).toEqual({ 1: [11] });
    expect(batcher.leave(1)).toBeUndefined();
    step([2, token(22)]);
    expect(step([2, token(23)])).toEqual({ 2: [21, 22, 23] });
  });

  it("keeps what belongs to a token: its end, its text, the likeliest in its place", () => {
    const { batcher } = rig(0);
    const top = [{ id: 7, logProb: -0.1 }];
    batcher.add(1, token(10, { top }));
    batcher.add(2, token(20));
    batcher.add(1, token(11, { top, ...END }));
    const batch = batcher.take()!;
    const pushed: SampledToken[] = [];
    spreadTokens(batch, () => ({ push: (each) => void pushed.push(each), fail: () => undefined }));
    expect(pushed).toEqual([token(10, { top }), token(11, { top, ...END }), token(20)]);
  });
});

import { describe, expect, it } from "vitest";
import type { SequenceRequest } from "./engine.js";
import { createQueueRoom } from "./queue-room.js";

function request(numPromptTokens: number, maxNewTokens: number): SequenceRequest {
  const rest = { temperature: 1, topK: 0, topP: 1, minP: 0, repetitionPenalty: 1 };
  return {
    promptIds: new Int32Array(numPromptTokens),
    sampling: { ...rest, maxNewTokens, stop: [], seed: 1 },
    minWeightVersion: 0,
  };
}

const limits = {
  maxActive: 2,
  maxQueued: 2,
  maxQueuedTokens: 20,
  kvTokens: 40,
  maxPositions: 30,
};

describe("createQueueRoom()", () => {
  it("counts prompt and longest answer, and refuses tokens beyond cache and queue", () => {
    const room = createQueueRoom(limits);
    const first = request(10, 100); // 30: no sequence is longer
    room.admit([first, request(10, 10)]);
    expect(() => room.admit([request(6, 5)])).toThrow(/\[resource_exhausted\] 11 tokens.*10 free/);
    room.admit([request(5, 5)]);
    room.leave(first);
    room.admit([request(10, 20)]);
  });

  it("refuses too many sequences as a whole and counts nothing of them", () => {
    const room = createQueueRoom(limits);
    const many = (count: number) => Array.from({ length: count }, () => request(1, 1));
    expect(() => room.admit(many(5))).toThrow(/\[resource_exhausted\] 5 sequences.*4 free/);
    room.admit(many(4));
    expect(room.numSequences).toBe(4);
  });

  it("refuses for good what the cache can never hold", () => {
    const room = createQueueRoom({ ...limits, kvTokens: 20 });
    expect(() => room.admit([request(10, 11)])).toThrow(/\[invalid_argument\].*21 tokens.*20/);
  });
});

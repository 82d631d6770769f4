import { common, reward } from "@stagecraft/contracts";
import { describe, expect, it } from "vitest";
import { createGrpcRewardPort, type RewardClient } from "./grpc-ports.js";

const POLICY = { tokenizerFingerprint: "tokens", chatFingerprint: "chat" };
const messages = [
  { role: "user" as const, content: "Hi" },
  { role: "assistant" as const, content: "Yo" },
];
const answer = { promptId: "p", ids: Int32Array.of(1, 2), messages };
const { signal } = new AbortController();

/** A reward model that says what it is and keeps what it is asked. */
function rewardModel(info: Partial<common.ModelInfo>) {
  const asked: (string | undefined)[] = [];
  const client = {
    getModelInfo: () => Promise.resolve({ info: common.ModelInfo.fromPartial(info) }),
    scoreBatch({ items }: reward.ScoreBatchRequest) {
      asked.push(items[0]?.input?.$case);
      return Promise.resolve({
        scores: [reward.Score.fromPartial({ value: 1 })],
        model: "r",
        modelVersion: "v",
      });
    },
  } as unknown as RewardClient;
  return { asked, port: createGrpcRewardPort(client, { model: "r", policy: POLICY }) };
}

describe("createGrpcRewardPort()", () => {
  for (const [what, other, input] of [
    ["the same tokenizer and chat template gets tokens", {}, "tokens"],
    ["another chat template renders for itself", { chatFingerprint: "other" }, "conversation"],
    ["another tokenizer renders for itself", { tokenizerFingerprint: "other" }, "conversation"],
  ] as const) {
    it(`a reward model with ${what}`, async () => {
      const { asked, port } = rewardModel({ ...POLICY, ...other });
      await port.score(answer, signal);
      expect(asked).toEqual([input]);
    });
  }

  it("refuses tokens without a conversation where the chat template is another one", async () => {
    const { port } = rewardModel({ ...POLICY, chatFingerprint: "other" });
    await expect(port.score({ ...answer, messages: [] }, signal)).rejects.toThrow(
      "another tokenizer or chat template, and the task carries no conversation",
    );
  });
});

// A policy and a reward model that only wait: simulated-services.mjs POLICY_MS REWARD_MS. Real gRPC,
// real messages (64 tokens with log-probs), no tensor work. Prints its port, serves until stdin ends.
import { setTimeout as delay } from "node:timers/promises";
import { common, policy, reward } from "@stagecraft/contracts";
import { createRpcServer } from "@stagecraft/rpc";

const NEW = 64;
const [policyMs, rewardMs] = process.argv.slice(2).map(Number);
const tokenIds = Array.from({ length: NEW }, (_, i) => 10 + i);
const weights = [{ version: 0, sha256: "0".repeat(64), step: 0n, sizeBytes: 0n }];
const answer = {
  tokenIds,
  logProbs: tokenIds.map(() => -1.5),
  weightVersions: tokenIds.map(() => 0),
  text: "",
  finishReason: common.FinishReason.LENGTH,
  weights,
};
const info = common.ModelInfo.fromPartial({ name: "simulated", tokenizerFingerprint: "simulated" });
const unused = async () => {
  throw new Error("not simulated");
};
const server = createRpcServer({ limits: { maxConcurrentCalls: 8192, maxConnectionAgeMs: 3.6e6 } });
server.addService(policy.PolicyServiceService, {
  async *generate() {
    yield await unused();
  },
  async generateBatch({ inputs }) {
    await delay(policyMs);
    const generations = inputs.map(({ prompt }) => ({ ...answer, promptIds: prompt.value.ids }));
    return { generations, model: "simulated" };
  },
  scoreLogProbs: unused,
  getModelInfo: async () => ({ info }),
  getStatus: unused,
  loadWeights: unused,
});
server.addService(reward.RewardServiceService, {
  async scoreBatch({ items }) {
    await delay(rewardMs);
    const score = { value: 0.5, numTokens: 96, numTruncated: 0, uncertainty: 0 };
    return { scores: items.map(() => score), model: "simulated", modelVersion: "1" };
  },
  async *scoreStream() {
    yield await unused();
  },
  getModelInfo: async () => ({ info }),
  listModels: async () => ({ models: [info] }),
});
const { port } = await server.start();
console.log(JSON.stringify({ port }));
process.stdin.resume().on("end", () => process.exit(0));

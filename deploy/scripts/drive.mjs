// Inside the cli image, from /app: waits until every service reports SERVING, runs PPO on the trainer,
// prints one line an update and, last, what was seen as JSON. Exit code 1 unless the run succeeds.
// `node scripts/drive.mjs UPDATES ROLLOUT_HOST…`
import { readFileSync } from "node:fs";
import { common, health, policy, reward, rollout, trainer } from "@stagecraft/contracts";
import { createRpcClient } from "@stagecraft/rpc";
import { startRun } from "./start-run.mjs";

const [updates = "3", ...workers] = process.argv.slice(2);
const READY_MS = 180_000;
const token = readFileSync("/etc/access/admin", "utf8").trim();
const plain = { allowPlaintext: true, token };

const probed = ["policy", "reward-model", "trainer", ...workers];
await Promise.all(probed.map((host) => waitUntilServing(`${host}:50061`)));
console.log(`serving: ${probed.join(", ")}`);

const config = {
  policy: "/models/policy",
  rewardModel: "/models/reward",
  prompts: ["/models/prompts.jsonl"],
  updates: Number(updates),
  promptsPerUpdate: 8,
  epochs: 2,
  maxNewTokens: 16,
  engine: "native",
  threads: 1,
};
let numUpdates = 0;
const ended = await startRun({
  address: "trainer:50054",
  run: { runId: "images", stage: "ppo", config },
  connection: plain,
  onUpdate: () => console.log(`update ${++numUpdates}`),
});
const policyClient = createRpcClient(policy.PolicyServiceClient, "policy:50051", plain);
const { weights } = await policyClient.getStatus({});
/** @type {Record<string, number>} */
const rollouts = {};
for (const host of workers) {
  const worker = createRpcClient(rollout.RolloutServiceClient, `${host}:50053`, plain);
  rollouts[host] = Number((await worker.getStatus({})).numCompleted);
  worker.close();
}
const score = await scoreOnce();
policyClient.close();
const state = trainer.RunState[ended?.state ?? 0];
const summary = { state, error: ended?.error?.message, numUpdates, weights: weights?.version };
console.log(JSON.stringify({ ...summary, rollouts, score }));
process.exit(state === "SUCCEEDED" && numUpdates === Number(updates) ? 0 : 1);

/** @param {string} address */
async function waitUntilServing(address) {
  const probe = createRpcClient(health.HealthClient, address, plain);
  const { HealthCheckResponse_ServingStatus: Status } = health;
  const endsAt = Date.now() + READY_MS;
  for (;;) {
    const answer = await probe.check({ service: "" }, { timeoutMs: 2000 }).catch((error) => error);
    if (answer.status === Status.SERVING) break;
    if (Date.now() > endsAt) throw new Error(`${address} does not serve: ${answer.message}`);
    await new Promise((resolve) => setTimeout(resolve, 500));
  }
  probe.close();
}

/** What a user of the reward model does. */
async function scoreOnce() {
  const scorer = createRpcClient(reward.RewardServiceClient, "reward-model:50052", plain);
  const messages = [
    { role: common.Role.USER, content: "who?" },
    { role: common.Role.ASSISTANT, content: "a cat." },
  ];
  const { scores } = await scorer.scoreBatch({
    model: undefined,
    items: [{ input: { $case: "conversation", value: { messages } } }],
    truncation: reward.TruncationPolicy.REFUSE,
  });
  scorer.close();
  return scores[0]?.value;
}

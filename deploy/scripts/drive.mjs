// Inside the cli image, from /app: waits until every service reports SERVING, gives people something to rank,
// runs PPO on the trainer, prints one line an update and, last, what was seen as JSON. Exit code 1 unless the run
// succeeds and what was given to rank is still there. `node scripts/drive.mjs UPDATES POLICY_OR_ROLLOUT_HOST…`
import { readFileSync } from "node:fs";
import { common, feedback, health, policy, reward, rollout, trainer } from "@stagecraft/contracts";
import { createRpcClient } from "@stagecraft/rpc";
import { startRun } from "./start-run.mjs";

const [updates = "3", ...hosts] = process.argv.slice(2);
const workers = hosts.filter((host) => host.startsWith("rollout"));
const policies = hosts.filter((host) => host.startsWith("policy"));
const READY_MS = 180_000;
const token = readFileSync("/etc/access/admin", "utf8").trim();
const plain = { allowPlaintext: true, token };

const probed = ["reward-model", "trainer", "gateway", ...hosts];
await Promise.all(probed.map((host) => waitUntilServing(`${host}:50061`)));
console.log(`serving: ${probed.join(", ")}`);

const gateway = createRpcClient(feedback.FeedbackServiceClient, "gateway:50055", plain);
const { numAdded } = await gateway.addComparisons({ comparisons: [comparison("before")] });

const config = {
  policy: "nats://policy",
  rewardModel: "nats://reward",
  prompts: ["/data/in/prompts.jsonl"],
  updates: Number(updates),
  promptsPerUpdate: 16,
  epochs: 2,
  maxNewTokens: 32,
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
/** @type {Record<string, number>} by policy, the one that was made anew in mid-run included */
const weights = {};
for (const host of policies) weights[host] = await followedTo(host, numUpdates);
/** @type {Record<string, number>} */
const rollouts = {};
for (const host of workers) {
  const worker = createRpcClient(rollout.RolloutServiceClient, `${host}:50053`, plain);
  rollouts[host] = Number((await worker.getStatus({})).numCompleted);
  worker.close();
}
const score = await scoreOnce();
await gateway.addComparisons({ comparisons: [comparison("after")] });
const kept = (await gateway.getQueueStatus({ batch: "" })).numOpen;
gateway.close();
const state = trainer.RunState[ended?.state ?? 0];
const summary = { state, error: ended?.error?.message, numUpdates, weights };
console.log(JSON.stringify({ ...summary, rollouts, score, comparisons: { numAdded, kept } }));
const isFollowed = policies.every((host) => weights[host] === numUpdates);
const isWhole = state === "SUCCEEDED" && numUpdates === Number(updates) && kept === 2 && isFollowed;
process.exit(isWhole ? 0 : 1);

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

/**
 * The version that a policy serves once it serves this one, or after a minute.
 * @param {string} host
 * @param {number} version
 */
async function followedTo(host, version) {
  await waitUntilServing(`${host}:50061`);
  const client = createRpcClient(policy.PolicyServiceClient, `${host}:50051`, plain);
  for (const endsAt = Date.now() + 60_000; ;) {
    const served = Number((await client.getStatus({})).weights?.version ?? 0);
    if (served === version || Date.now() > endsAt) {
      client.close();
      return served;
    }
    await new Promise((resolve) => setTimeout(resolve, 500));
  }
}

/** @param {string} comparisonId */
function comparison(comparisonId) {
  const messages = [{ role: common.Role.USER, content: "who?" }];
  const answers = ["a cat.", "a dog."];
  return { comparisonId, prompt: { messages }, answers, kind: "", modelVersion: "", batch: "" };
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

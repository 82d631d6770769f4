/**
 * Generates, scores and watches a run from TypeScript, with the contracts of this repository.
 *
 *     npm run example:typescript -- --demo
 *     npm run example:typescript -- --cluster main
 */
import { readFile } from "node:fs/promises";
import { setTimeout as delay } from "node:timers/promises";
import { parseArgs } from "node:util";
import { common, policy, reward, trainer } from "@stagecraft/contracts";
import { StagecraftError } from "@stagecraft/core";
import { createRpcClient } from "@stagecraft/rpc";
import { startDemo } from "./demo.js";

const { values: flags } = parseArgs({
  options: {
    policy: { type: "string", default: "127.0.0.1:50051" },
    reward: { type: "string", default: "127.0.0.1:50052" },
    trainer: { type: "string", default: "127.0.0.1:50054" },
    prompt: { type: "string", default: "Tell me a story" },
    run: { type: "string" },
    create: { type: "string" },
    token: { type: "string" },
    ca: { type: "string" },
    cert: { type: "string" },
    key: { type: "string" },
    cluster: { type: "string" },
    demo: { type: "boolean", default: false },
  },
});

type Conversation = common.Conversation["messages"];

/** Bearer token and certificates, the same for every server. */
function access() {
  const { token, ca, cert, key } = flags;
  const own = cert && key ? { certFile: cert, keyFile: key } : {};
  return { ...(token ? { token } : {}), ...(ca ? { tls: { caFile: ca, ...own } } : {}) };
}

/** Streams one answer to the terminal. */
async function generate(address: string, messages: Conversation): Promise<string> {
  await using client = createRpcClient(policy.PolicyServiceClient, address, access());
  const request = policy.GenerateRequest.fromPartial({
    input: {
      prompt: { $case: "conversation", value: { messages } },
      sampling: { temperature: 0.7, maxNewTokens: 48, seed: 7n },
    },
  });
  let answer = "";
  let numTokens = 0;
  // Every call has a deadline; this one is for the whole stream.
  for await (const chunk of client.generate(request, { timeoutMs: 60_000 })) {
    process.stdout.write(chunk.text);
    answer += chunk.text;
    numTokens += chunk.tokenIds.length;
    if (chunk.finishReason === common.FinishReason.UNSPECIFIED) continue;
    const versions = chunk.weights.map(({ version }) => version).join(", ");
    process.stdout.write(`\n(${numTokens} tokens by weights ${versions})\n`);
  }
  return answer;
}

/** The default reward model's opinion of a conversation that ends with the answer. */
async function score(address: string, messages: Conversation): Promise<void> {
  await using client = createRpcClient(reward.RewardServiceClient, address, {
    ...access(),
    idempotent: "all", // retried when a server is unavailable
  });
  const request = reward.ScoreBatchRequest.fromPartial({
    items: [{ input: { $case: "conversation", value: { messages } } }],
    truncation: reward.TruncationPolicy.KEEP_END,
  });
  const { scores, model, modelVersion } = await client.scoreBatch(request, { timeoutMs: 10_000 });
  process.stdout.write(`score ${scores[0]!.value.toFixed(3)} by ${model}@${modelVersion}\n`);
}

/** Starts a run when a config is given, then follows that run, or the newest, to its end. */
async function watch(address: string, config: Record<string, unknown> | undefined) {
  await using client = createRpcClient(trainer.TrainerServiceClient, address, access());
  const created = config
    ? await client.createRun(trainer.CreateRunRequest.fromPartial({ stage: "ppo", config }))
    : undefined;
  const { runs } = await client.listRuns(trainer.ListRunsRequest.fromPartial({ pageSize: 1 }));
  const runId = flags.run ?? created?.run?.runId ?? runs[0]?.runId;
  if (runId === undefined) {
    process.stdout.write("no run to watch; start one with --create config.json\n");
    return;
  }
  // A connection that has grown old is closed: watch again from the last event on.
  for (let after = 0n; ; await delay(200)) {
    try {
      const request = { runId, afterSequence: after };
      for await (const { sequence, event } of client.watchRun(request, { timeoutMs: 3_600_000 })) {
        after = sequence;
        report(runId, event);
      }
      return;
    } catch (error) {
      if (StagecraftError.from(error).code !== "unavailable") throw error;
    }
  }
}

function report(runId: string, event: trainer.WatchRunResponse["event"]): void {
  if (event?.$case === "run") {
    process.stdout.write(`${runId} ${trainer.RunState[event.value.state]}\n`);
  } else if (event?.$case === "metrics" && event.value?.["kind"] === "update") {
    const { step, score: mean, kl } = event.value;
    process.stdout.write(
      `update ${String(step)}  score ${Number(mean).toFixed(3)}  KL ${Number(kl).toFixed(4)}\n`,
    );
  }
}

/** Where `stagecraft up` keeps the addresses of its processes, one file a service. */
function addressesOf(cluster: string) {
  const file = (service: string) => `file:.stagecraft/cluster/${cluster}/addresses/${service}`;
  return { policy: file("policy"), reward: file("reward-model"), trainer: file("trainer") };
}

const demo = flags.demo ? await startDemo() : undefined;
const {
  policy: policyAddress,
  reward: rewardAddress,
  trainer: trainerAddress,
} = demo ?? (flags.cluster === undefined ? flags : addressesOf(flags.cluster));
const config =
  demo?.run ??
  (flags.create
    ? (JSON.parse(await readFile(flags.create, "utf8")) as Record<string, unknown>)
    : undefined);
const question = { role: common.Role.USER, content: flags.prompt };
const answer = await generate(policyAddress, [question]);
await score(rewardAddress, [question, { role: common.Role.ASSISTANT, content: answer }]);
await watch(trainerAddress, config);
await demo?.stop();

/**
 * Generates, scores and watches a run from TypeScript, with the contracts of this repository.
 *
 *     npm run example:typescript -- --demo
 *     npm run example:typescript -- --cluster main
 */
import { readFile } from "node:fs/promises";
import { parseArgs } from "node:util";
import {
  connectPolicy,
  connectRewardModel,
  connectTrainer,
  followRun,
  type RunEvent,
} from "@stagecraft/client";
import { trainer, type ChatMessage } from "@stagecraft/contracts";
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

/** Bearer token and certificates, the same for every server. */
function access() {
  const { token, ca, cert, key } = flags;
  const own = cert && key ? { certFile: cert, keyFile: key } : {};
  return { ...(token ? { token } : {}), ...(ca ? { tls: { caFile: ca, ...own } } : {}) };
}

/** Streams one answer to the terminal. */
async function generate(address: string, messages: ChatMessage[]): Promise<string> {
  await using client = connectPolicy(address, access());
  const sampling = { temperature: 0.7, maxNewTokens: 48, seed: 7 };
  const pieces = client.generate(messages, sampling, { timeoutMs: 60_000 });
  for (;;) {
    const { value, done } = await pieces.next();
    if (done) {
      const versions = [...new Set(value.weightVersions)].join(", ");
      process.stdout.write(`\n(${value.tokenIds.length} tokens by weights ${versions})\n`);
      return value.text;
    }
    process.stdout.write(value);
  }
}

/** The default reward model's opinion of a conversation that ends with the answer. */
async function score(address: string, messages: ChatMessage[]): Promise<void> {
  await using rewardModel = connectRewardModel(address, access());
  const [scored] = await rewardModel.score([messages], { truncation: "keep-end" });
  process.stdout.write(`score ${scored!.value.toFixed(3)} by ${scored!.scoredBy}\n`);
}

/** Starts a run when a config is given, then follows that run, or the newest, to its end. */
async function watch(address: string, config: Record<string, unknown> | undefined) {
  await using client = connectTrainer(address, access());
  const created = config
    ? await client.createRun(trainer.CreateRunRequest.fromPartial({ stage: "ppo", config }))
    : undefined;
  const { runs } = await client.listRuns(trainer.ListRunsRequest.fromPartial({ pageSize: 1 }));
  const runId = flags.run ?? created?.run?.runId ?? runs[0]?.runId;
  if (runId === undefined) {
    process.stdout.write("no run to watch; start one with --create config.json\n");
    return;
  }
  await followRun(client, runId, { onEvent: (event) => report(runId, event) });
}

function report(runId: string, event: RunEvent): void {
  if (event.$case === "run") {
    process.stdout.write(`${runId} ${trainer.RunState[event.value.state]}\n`);
  } else if (event.$case === "metrics" && event.value?.["kind"] === "update") {
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
const question: ChatMessage = { role: "user", content: flags.prompt };
const answer = await generate(policyAddress, [question]);
await score(rewardAddress, [question, { role: "assistant", content: answer }]);
await watch(trainerAddress, config);
await demo?.stop();

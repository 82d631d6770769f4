import { setTimeout as delay } from "node:timers/promises";
import { policy, reward } from "@stagecraft/contracts";
import { createRpcClient } from "@stagecraft/rpc";
import { freePort, startNatsServer, tempDir } from "@stagecraft/testing";
import { join } from "node:path";
import type { Mutation } from "../fault-row.js";
import { Cleanup } from "./cleanup.js";
import { startService, type ServiceProcess } from "./service-process.js";
import { writeTinyWorld } from "./tiny-world.js";

/** One of the four servers and how to start it again where it was. */
export interface Member {
  process: ServiceProcess;
  start(): Promise<ServiceProcess>;
}

/** Two real policy and two real reward servers under constant load from clients as workers use them. */
export interface ServerPairs extends AsyncDisposable {
  members: Member[];
  numCalls(): number;
  failures(): string[];
}

const LANES = 4;
/** A lane without any would, where nothing is repeated, fail as fast as a processor can. */
const PAUSE_MS = 5;

export interface ServerPairsOptions {
  graceMs?: number;
  mutations?: readonly Mutation[];
}

export async function startServerPairs(options: ServerPairsOptions = {}): Promise<ServerPairs> {
  const resources = new Cleanup();
  try {
    return await open(options, resources);
  } catch (thrown) {
    await resources[Symbol.asyncDispose]();
    throw thrown;
  }
}

async function open(
  { graceMs = 10_000, mutations = [] }: ServerPairsOptions,
  resources: Cleanup,
): Promise<ServerPairs> {
  const { path } = resources.use(await tempDir("stagecraft-pairs-"));
  const world = await writeTinyWorld(path);
  const nats = resources.use(await startNatsServer({ maxFileStoreBytes: 8 * 1024 ** 3 }));
  const common = { engine: "cpu", threads: 1, "grace-ms": graceMs };
  const policyFlags = { "nats-url": nats.url, "weights-dir": join(path, "weights") };
  const members: Member[] = [];
  const add = async (name: "policy" | "reward-model", flags: Record<string, string>) => {
    const all = { ...common, ...flags, port: await freePort() };
    const start = () => startService(name, { flags: all, mutations });
    members.push({ process: await start(), start });
    return `127.0.0.1:${all.port}`;
  };
  resources.defer(async () => {
    await Promise.all(members.map(({ process }) => process.kill("SIGKILL")));
  });
  const modelFlags = { ...policyFlags, "model-dir": world.policyDir };
  const policies = [await add("policy", modelFlags), await add("policy", modelFlags)];
  const rewardFlags = { models: `rm=${world.rewardDir}` };
  const rewards = [await add("reward-model", rewardFlags), await add("reward-model", rewardFlags)];
  await Promise.all(members.map(({ process }) => process.serving()));
  const load = startLoad(policies.join(","), rewards.join(","));
  resources.defer(() => load.stop());
  return {
    members,
    numCalls: load.numCalls,
    failures: load.failures,
    [Symbol.asyncDispose]: () => resources[Symbol.asyncDispose](),
  };
}

function startLoad(policies: string, rewards: string) {
  const options = { idempotent: "all", waitForReady: true, timeoutMs: 30_000 } as const;
  const policyClient = createRpcClient(policy.PolicyServiceClient, policies, options);
  const rewardClient = createRpcClient(reward.RewardServiceClient, rewards, options);
  const failures: string[] = [];
  let numCalls = 0;
  let stopped = false;
  const input = policy.GenerationInput.fromPartial({
    prompt: { $case: "tokens", value: { ids: [5, 6, 7] } },
    sampling: { maxNewTokens: 4, temperature: 1 },
  });
  const item = reward.ScoreInput.fromPartial({
    input: { $case: "tokens", value: { ids: [5, 6, 7] } },
  });
  const calls = [
    () => policyClient.generateBatch({ model: "", inputs: [input], requestId: "load" }),
    () =>
      rewardClient.scoreBatch({ model: { name: "", version: "" }, items: [item], truncation: 1 }),
  ];
  const lane = async (call: () => Promise<unknown>) => {
    while (!stopped) {
      await call().catch((error: unknown) => failures.push(String(error)));
      numCalls++;
      await delay(PAUSE_MS);
    }
  };
  const running = Promise.all(
    calls.flatMap((call) => Array.from({ length: LANES }, () => lane(call))),
  );
  return {
    numCalls: () => numCalls,
    failures: () => failures,
    async stop() {
      stopped = true;
      await running;
      policyClient.close();
      rewardClient.close();
    },
  };
}

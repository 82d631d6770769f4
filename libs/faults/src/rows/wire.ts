import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { gzipSync } from "node:zlib";
import { policy, reward, trainer } from "@stagecraft/contracts";
import type { Random } from "@stagecraft/core";
import { createRpcClient } from "@stagecraft/rpc";
import { startNatsServer, tempDir } from "@stagecraft/testing";
import { join } from "node:path";
import type { FaultContext, FaultResult, FaultRow, Mutation } from "../fault-row.js";
import { Cleanup } from "../world/cleanup.js";
import { frame, openRawClient, type RawClient } from "../world/raw-grpc.js";
import { startService, type ServiceProcess } from "../world/service-process.js";
import { writeTinyWorld } from "../world/tiny-world.js";

const INVALID_ARGUMENT = 3;
const RESOURCE_EXHAUSTED = 8;
const UNIMPLEMENTED = 12;
/** Statuses of a server that understood that the client is wrong; nothing of its own is broken. */
const OUR_WORD = new Set<number | string>([0, INVALID_ARGUMENT, 5, RESOURCE_EXHAUSTED, 9]);

/** HTTP/2 servers hang up on a client that has cut off some 1,000 streams (CVE-2023-44487). */
const CALLS_OF_A_CONNECTION = 500;

interface Target {
  service: ServiceProcess;
  address: string;
  path: string;
  /** A request that is answered. */
  good: Buffer;
  isWell(): Promise<unknown>;
}

/** Bytes that no client of ours would send, to three services that must go on answering. */
async function run({ count, random, mutations, progress }: FaultContext): Promise<FaultResult> {
  await using cleanup = new Cleanup();
  const targets = await startTargets(cleanup, mutations);
  const problems: string[] = [];
  const statuses = new Map<string, number>();
  const note = (kind: string, status: number | string, allowed: ReadonlySet<number | string>) => {
    const key = `${kind}: ${status}`;
    statuses.set(key, (statuses.get(key) ?? 0) + 1);
    if (!allowed.has(status)) problems.push(`${key} is no answer to expect`);
  };
  for (const [at, target] of targets.entries()) {
    for (let done = 0; done < count; done += CALLS_OF_A_CONNECTION) {
      await using raw = await openRawClient(target.address);
      for (let i = done; i < Math.min(count, done + CALLS_OF_A_CONNECTION); i++) {
        const { kind, body } = malformed(target.good, random);
        note(kind, await raw.call(target.path, body), OUR_WORD);
        progress(at * count + i + 1, targets.length * count, target.service.name);
      }
    }
    await using raw = await openRawClient(target.address);
    await sendLargeThings(raw, target, note);
    problems.push(...(await flood(target)));
    await target.isWell().catch((error: unknown) => {
      problems.push(`${target.service.name} does not answer any more: ${String(error)}`);
    });
    if (target.service.hasEnded()) problems.push(`${target.service.name} has ended`);
  }
  const figures = Object.fromEntries([...statuses].sort());
  return { problems: [...new Set(problems)], figures };
}

async function startTargets(cleanup: Cleanup, mutations: readonly Mutation[]): Promise<Target[]> {
  const { path } = cleanup.use(await tempDir("stagecraft-wire-"));
  const world = await writeTinyWorld(path);
  const nats = cleanup.use(await startNatsServer({ maxFileStoreBytes: 8 * 1024 ** 3 }));
  const engine = { engine: "cpu", threads: 1 };
  const common = { ...engine, "nats-url": nats.url, "weights-dir": join(path, "weights") };
  const start = async (name: ServiceProcess["name"], flags: Record<string, string | number>) => {
    const service = cleanup.use(await startService(name, { flags, mutations }));
    return { service, address: await service.serving() };
  };
  const [policies, rewards, trainers] = await Promise.all([
    start("policy", { ...common, "model-dir": world.policyDir }),
    start("reward-model", { ...engine, models: `rm=${world.rewardDir}` }),
    start("trainer", { ...common, "runs-dir": join(path, "runs") }),
  ]);
  const policyClient = cleanup.use(createRpcClient(policy.PolicyServiceClient, policies.address));
  const rewardClient = cleanup.use(createRpcClient(reward.RewardServiceClient, rewards.address));
  const trainerClient = cleanup.use(
    createRpcClient(trainer.TrainerServiceClient, trainers.address),
  );
  const input = policy.GenerationInput.fromPartial({
    prompt: { $case: "tokens", value: { ids: [5, 6] } },
    sampling: { maxNewTokens: 2 },
  });
  const request = policy.GenerateBatchRequest.fromPartial({ inputs: [input], requestId: "wire" });
  const score = reward.ScoreBatchRequest.fromPartial({
    items: [{ input: { $case: "tokens", value: { ids: [5, 6] } } }],
    truncation: 1,
  });
  const list = trainer.ListRunsRequest.fromPartial({ pageSize: 3, stage: "ppo" });
  return [
    {
      ...policies,
      path: "/stagecraft.policy.v1.PolicyService/GenerateBatch",
      good: Buffer.from(policy.GenerateBatchRequest.encode(request).finish()),
      isWell: () => policyClient.generateBatch(request),
    },
    {
      ...rewards,
      path: "/stagecraft.reward.v1.RewardService/ScoreBatch",
      good: Buffer.from(reward.ScoreBatchRequest.encode(score).finish()),
      isWell: () => rewardClient.scoreBatch(score),
    },
    {
      ...trainers,
      path: "/stagecraft.trainer.v1.TrainerService/ListRuns",
      good: Buffer.from(trainer.ListRunsRequest.encode(list).finish()),
      isWell: () => trainerClient.listRuns(list),
    },
  ];
}

function malformed(good: Buffer, random: Random): { kind: string; body: Buffer } {
  const kind = random.pick(["garbage", "truncated", "bit-flipped"] as const);
  if (kind === "garbage") {
    const bytes = Buffer.from({ length: 1 + random.nextInt(64) });
    for (let i = 0; i < bytes.length; i++) bytes[i] = random.nextInt(256);
    return { kind, body: frame(bytes) };
  }
  if (kind === "truncated")
    return { kind, body: frame(good.subarray(0, random.nextInt(good.length))) };
  const flipped = Buffer.from(good);
  flipped[random.nextInt(good.length)]! ^= 1 << random.nextInt(8);
  return { kind, body: frame(flipped) };
}

type Note = (kind: string, status: number | string, allowed: ReadonlySet<number | string>) => void;

async function sendLargeThings(raw: RawClient, target: Target, note: Note): Promise<void> {
  const large = Buffer.alloc(6 * 1024 * 1024, 0x0a);
  const tooMuch = new Set<number | string>([RESOURCE_EXHAUSTED]);
  note("oversized", await raw.call(target.path, frame(large)), tooMuch);
  const promised = frame(Buffer.from("x"), { length: 0xffffffff });
  note("length of 4 GiB", await raw.call(target.path, promised, { leaveOpen: true }), tooMuch);
  const bomb = gzipSync(Buffer.alloc(256 * 1024 * 1024));
  const headers = { "grpc-encoding": "gzip" };
  const refused = new Set<number | string>([RESOURCE_EXHAUSTED, UNIMPLEMENTED]);
  const status = await raw.call(target.path, frame(bomb, { compressed: true }), { headers });
  note("gzip bomb of 256 MiB", status, refused);
}

const NUM_CONNECTIONS = 1000;

/** A thousand idle connections and one that sends a byte now and then; others are still served. */
async function flood({ address, isWell, path, good, service }: Target): Promise<string[]> {
  const [host, port] = address.split(":");
  const sockets: Socket[] = [];
  try {
    for (let i = 0; i < NUM_CONNECTIONS; i++) {
      const socket = connect(Number(port), host);
      socket.on("error", () => undefined);
      sockets.push(socket);
    }
    const opening = sockets.filter((socket) => socket.connecting);
    await Promise.all(opening.map((socket) => once(socket, "connect")));
    await using slow = await openRawClient(address);
    const half = frame(good).subarray(0, 3);
    const dripping = slow.call(path, half, { leaveOpen: true, timeoutMs: 500 });
    await Promise.all(Array.from({ length: 20 }, isWell));
    await dripping;
    return [];
  } catch (thrown) {
    return [`${service.name} under ${NUM_CONNECTIONS} connections: ${String(thrown)}`];
  } finally {
    for (const socket of sockets) socket.destroy();
  }
}

/** See `doc`. */
export const wire: FaultRow = {
  name: "wire",
  doc: "malformed, truncated, bit-flipped protobuf, oversized messages, a gzip bomb, a slow client, 1,000 connections: no crash, no hang, an answer that names the client's fault, others are served",
  counts: { full: 2000, short: 100 },
  run,
  controls: [
    {
      name: "a decoder may throw",
      file: "libs/rpc/dist/handlers.js",
      find: "return new Undecodable(cause);",
      replace: "throw cause;",
      count: 20,
      expect: /garbage: 13 is no answer/,
    },
  ],
};

import { setTimeout as delay } from "node:timers/promises";
import { createRandom, deriveSeed } from "@stagecraft/core";
import { Cleanup } from "../world/cleanup.js";
import { startHonestCallers, type HonestCallers } from "../world/honest-callers.js";
import { frame, openRawClient } from "../world/raw-grpc.js";
import type { FuzzFailure, FuzzOptions } from "./fuzz.js";
import { residentBytes, startLiveWorld, type LiveServer, type LiveWorld } from "./live-world.js";
import type { HostileTarget } from "./targets.js";

export interface LiveResult {
  failures: FuzzFailure[];
  /** Answers by gRPC status. */
  statuses: Record<string, number>;
  slowestMs: number;
  /** Largest growth of a server's memory from a tenth of the inputs to the end. */
  grownBytes: number;
  honestCalls: number;
  honestProblems: string[];
  /** Calls a second of the honest callers, before the attack and during it. */
  honestRates: { before: number; during: number };
}

const NUM_ATTACKERS = 8;
/** Callers of each kind of honest call. */
const HONEST_LANES = 2;
/** Servers are faster when their code is warm. */
const WARM_UP_MS = 5000;
const MEASURED_BEFORE_MS = 5000;
/** Every call gets this deadline, so that none waits for weights or events that never come. */
const DEADLINE_MS = 250;
/** HTTP/2 servers hang up on a client that has cut off some 1,000 streams. */
const CALLS_OF_A_CONNECTION = 500;
/** Servers close connections at the age of 90 s. */
const AGE_OF_A_CONNECTION_MS = 45_000;
/** UNKNOWN and INTERNAL: something of the server's own has failed. UNAVAILABLE: it is gone. */
const BAD = new Set<number | string>([2, 13, 14, 15, "reset", "closed", "silent"]);

/** Sends inputs of every RPC to real servers, in turns, beside honest callers of theirs. */
export async function attackServers(
  targets: readonly HostileTarget[],
  options: FuzzOptions,
): Promise<LiveResult> {
  await using cleanup = new Cleanup();
  const world = await startLiveWorld(cleanup);
  const honest = cleanup.use(await startHonestCallers(world.calls, { lanes: HONEST_LANES }));
  await delay(WARM_UP_MS);
  const rateOf = measureRates(honest);
  await delay(MEASURED_BEFORE_MS);
  const before = rateOf();
  const result: LiveResult = {
    ...{ failures: [], statuses: {}, slowestMs: 0, grownBytes: 0 },
    ...{ honestCalls: 0, honestProblems: [], honestRates: { before, during: 0 } },
  };
  await attack(targets, { world, options, result });
  result.honestRates.during = rateOf();
  result.honestCalls = honest.numCalls();
  result.honestProblems = [
    ...honest.problems(),
    ...world.servers
      .filter(({ service }) => service.hasEnded())
      .map(({ service }) => `${service.name} has ended: ${service.output().slice(-2000)}`),
  ];
  return result;
}

/** Calls a second since it was asked last. */
function measureRates(honest: HonestCallers): () => number {
  let [calls, since] = [honest.numCalls(), performance.now()];
  return () => {
    const [numCalls, now] = [honest.numCalls(), performance.now()];
    const rate = ((numCalls - calls) / (now - since)) * 1000;
    [calls, since] = [numCalls, now];
    return Math.round(rate * 10) / 10;
  };
}

interface Attack {
  world: LiveWorld;
  options: FuzzOptions;
  result: LiveResult;
}

async function attack(
  targets: readonly HostileTarget[],
  { world: { servers }, options, result }: Attack,
): Promise<void> {
  const { count, onProgress } = options;
  const warmAt = Math.floor(count / 10);
  const sizes = () => servers.map(({ service }) => residentBytes(service));
  let warm: number[] = [];
  let next = 0;
  const lane = async () => {
    await using connections = openConnections();
    while (next < count && result.failures.length < 20) {
      const index = next++;
      if (index === warmAt) warm = sizes();
      const target = targets[index % targets.length]!;
      await strike(target, { ...options, index, servers, connections, result });
      if (index % 100 === 99) onProgress?.(index + 1, count);
    }
  };
  await Promise.all(Array.from({ length: NUM_ATTACKERS }, lane));
  result.grownBytes = Math.max(0, ...sizes().map((size, i) => size - (warm[i] ?? size)));
}

interface Strike extends FuzzOptions {
  index: number;
  servers: readonly LiveServer[];
  connections: Connections;
  result: LiveResult;
}

async function strike(target: HostileTarget, strike: Strike): Promise<void> {
  const { seed, index, servers, connections, result, maxMs = 2000 } = strike;
  const input = target.make(createRandom(deriveSeed(seed, "live", index)));
  const path = target.path!;
  // Health is everybody's.
  const server =
    servers.find(({ prefix }) => path.startsWith(prefix)) ?? servers[index % servers.length]!;
  const client = await connections.to(server.address);
  const headers = { "grpc-timeout": `${DEADLINE_MS}m` };
  const startedAt = performance.now();
  const status = await client.call(path, frame(input), { headers, timeoutMs: maxMs });
  result.slowestMs = Math.max(result.slowestMs, performance.now() - startedAt);
  result.statuses[status] = (result.statuses[status] ?? 0) + 1;
  if (!BAD.has(status)) return;
  const shown = Buffer.from(input.subarray(0, 4096)).toString("base64");
  result.failures.push({ target: target.name, index, problem: `status ${status}`, input: shown });
}

type RawClient = Awaited<ReturnType<typeof openRawClient>>;

/** Connections of one attacker, each renewed after some calls. */
interface Connections extends AsyncDisposable {
  to(address: string): Promise<RawClient>;
}

function openConnections(): Connections {
  const open = new Map<string, { client: RawClient; numCalls: number; since: number }>();
  const isUsedUp = ({ numCalls, since }: { numCalls: number; since: number }) =>
    numCalls >= CALLS_OF_A_CONNECTION || performance.now() - since >= AGE_OF_A_CONNECTION_MS;
  return {
    async to(address) {
      let connection = open.get(address);
      if (!connection || isUsedUp(connection)) {
        await connection?.client[Symbol.asyncDispose]();
        const client = await openRawClient(address);
        connection = { client, numCalls: 0, since: performance.now() };
        open.set(address, connection);
      }
      connection.numCalls++;
      return connection.client;
    },
    async [Symbol.asyncDispose]() {
      for (const { client } of open.values()) await client[Symbol.asyncDispose]();
    },
  };
}

/**
 * Changed requests of every RPC, sent to real processes of all five services. No call may end with
 * INTERNAL, UNKNOWN or UNAVAILABLE or be silent for 2 s, and no server may grow by more than 128 MiB.
 * Two honest callers of each of 8 kinds of call go on beside the attackers: none may fail, answers of
 * models keep their bits, and all together keep half of their rate. The attack comes in waves with quiet
 * seconds before each, so that both rates see the same load of the machine.
 */
import { setTimeout as delay } from "node:timers/promises";
import { createRandom, deriveSeed } from "@stagecraft/core";
import { Cleanup } from "../world/cleanup.js";
import { startHonestCallers, type HonestCallers } from "../world/honest-callers.js";
import { frame, openRawClient } from "../world/raw-grpc.js";
import type { FuzzFailure, FuzzOptions } from "./fuzz.js";
import { residentBytes, startLiveWorld, type LiveServer, type LiveWorld } from "./live-world.js";
import type { HostileTarget } from "./hostile-target.js";

export interface LiveResult {
  failures: FuzzFailure[];
  /** Answers by gRPC status. */
  statuses: Record<string, number>;
  slowestMs: number;
  /** Largest growth of a server's memory from a tenth of the inputs to the end. */
  grownBytes: number;
  honestCalls: number;
  honestProblems: string[];
  /** Calls a second of the honest callers, before the waves of the attack and during them. */
  honestRates: { before: number; during: number };
}

const NUM_ATTACKERS = 8;
const MAX_FAILURES = 20;
/** Callers of each kind of honest call. */
const HONEST_LANES = 2;
/** Servers are faster when their code is warm. */
const WARM_UP_MS = 5000;
/** The attack comes in waves, so that both rates see the same load of the machine. */
const NUM_WAVES = 10;
const QUIET_BEFORE_WAVE_MS = 2000;
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
  const [before, during] = [createRate(honest), createRate(honest)];
  const result: LiveResult = {
    ...{ failures: [], statuses: {}, slowestMs: 0, grownBytes: 0 },
    ...{ honestCalls: 0, honestProblems: [], honestRates: { before: 0, during: 0 } },
  };
  const grown = watchGrowth(world.servers);
  for (let wave = 0; wave < NUM_WAVES; wave++) {
    await before.measure(() => delay(QUIET_BEFORE_WAVE_MS));
    const [from, to] = [wave, wave + 1].map((n) => Math.floor((n * options.count) / NUM_WAVES));
    await during.measure(() => attack(targets, { from: from!, to: to!, world, options, result }));
    if (wave === 0) grown.begin();
  }
  result.grownBytes = grown.largest();
  result.honestRates = { before: before.perSecond(), during: during.perSecond() };
  result.honestCalls = honest.numCalls();
  result.honestProblems = [
    ...honest.problems(),
    ...world.servers
      .filter(({ service }) => service.hasEnded())
      .map(({ service }) => `${service.name} has ended: ${service.output().slice(-2000)}`),
  ];
  return result;
}

/** How many calls a second there are while something runs. */
function createRate(honest: HonestCallers) {
  let [numCalls, ms] = [0, 0];
  return {
    async measure(work: () => Promise<void>): Promise<void> {
      const [calls, since] = [honest.numCalls(), performance.now()];
      await work();
      numCalls += honest.numCalls() - calls;
      ms += performance.now() - since;
    },
    perSecond: () => Math.round((numCalls / ms) * 10_000) / 10,
  };
}

/** What the servers' memory has grown by since `begin`. */
function watchGrowth(servers: readonly LiveServer[]) {
  const sizes = () => servers.map(({ service }) => residentBytes(service));
  let first: number[] = [];
  return {
    begin: () => void (first = sizes()),
    largest: () => Math.max(0, ...sizes().map((size, i) => size - (first[i] ?? size))),
  };
}

interface Attack {
  from: number;
  to: number;
  world: LiveWorld;
  options: FuzzOptions;
  result: LiveResult;
}

/** The inputs of one wave. */
async function attack(
  targets: readonly HostileTarget[],
  { from, to, world: { servers }, options, result }: Attack,
): Promise<void> {
  let next = from;
  const lane = async () => {
    await using connections = openConnections();
    while (next < to && result.failures.length < MAX_FAILURES) {
      const index = next++;
      const target = targets[index % targets.length]!;
      await strike(target, { ...options, index, servers, connections, result });
      if (index % 100 === 99) options.onProgress?.(index + 1, options.count);
    }
  };
  await Promise.all(Array.from({ length: NUM_ATTACKERS }, lane));
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

import { connect as connectHttp2, type ClientHttp2Session } from "node:http2";
import { connect as connectTcp, type Socket } from "node:net";
import { waitFor } from "@stagecraft/testing";
import type { FaultContext, FaultResult, FaultRow } from "../fault-row.js";
import { Cleanup } from "../world/cleanup.js";
import { modelCalls, startHonestCallers } from "../world/honest-callers.js";
import { startModelServers } from "../world/model-servers.js";

/** More than the places of a method, and than the connections of one address. */
const NUM_CALLS = 80;
const NUM_CONNECTIONS = 300;
/** Places of a method at both servers. */
const FLAGS = {
  policy: { "max-active": 8, "max-queued": 56 },
  "reward-model": { "max-queued": 64 },
} as const;

const METHODS = {
  policy: ["Generate", "GenerateBatch", "ScoreLogProbs"],
  reward: ["ScoreBatch", "ScoreStream"],
} as const;

/** Each strike leaves calls and connections open that say no more; those of the last strike go then. */
async function run({ count, mutations, patienceMs, progress }: FaultContext): Promise<FaultResult> {
  await using cleanup = new Cleanup();
  const servers = await startModelServers(cleanup, { mutations, flags: FLAGS });
  const { policyAddress, rewardAddress } = servers;
  const own = cleanup.use(modelCalls(servers));
  const honest = cleanup.use(await startHonestCallers(own.calls));
  const problems = new Set<string>();
  let before: Silence | undefined;
  cleanup.defer(() => before?.end());
  for (let i = 0; i < count && honest.problems().length + problems.size === 0; i++) {
    const silence = fallSilent([
      { address: policyAddress, methods: pathsOf("policy.v1.Policy", METHODS.policy) },
      { address: rewardAddress, methods: pathsOf("reward.v1.Reward", METHODS.reward) },
    ]);
    before?.end();
    before = silence;
    await silence.open();
    await honest.answered(2, patienceMs);
    // One that comes now needs a connection and a place.
    await using late = modelCalls(servers);
    for (const [name, call] of Object.entries(late.calls)) {
      await call().catch((error: unknown) =>
        problems.add(`a late ${name} failed: ${String(error)}`),
      );
    }
    progress(i + 1, count);
  }
  for (const service of [servers.policy, servers.reward]) {
    if (service.hasEnded()) problems.add(`${service.name} has ended`);
  }
  const numMethods = METHODS.policy.length + METHODS.reward.length;
  return {
    problems: [...problems, ...honest.problems()],
    figures: {
      "silent calls": count * numMethods * NUM_CALLS,
      "silent connections": count * 2 * NUM_CONNECTIONS,
      "honest answers": honest.numCalls(),
    },
  };
}

const pathsOf = (service: string, methods: readonly string[]) =>
  methods.map((method) => `/stagecraft.${service}Service/${method}`);

/** Calls that never finish and connections that say nothing. */
interface Silence {
  /** Resolves when the connections stand. */
  open(): Promise<void>;
  end(): void;
}

function fallSilent(targets: readonly { address: string; methods: string[] }[]): Silence {
  const sessions: ClientHttp2Session[] = [];
  const sockets: Socket[] = [];
  let numOpen = 0;
  for (const { address, methods } of targets) {
    const session = connectHttp2(`http://${address}`);
    session.on("error", () => undefined);
    sessions.push(session);
    for (const path of methods) {
      for (let i = 0; i < NUM_CALLS; i++) halfCall(session, path, i % 2 === 0);
    }
    const [host, port] = address.split(":");
    for (let i = 0; i < NUM_CONNECTIONS; i++) {
      const socket = connectTcp(Number(port), host);
      socket.on("error", () => undefined);
      socket.on("connect", () => numOpen++);
      socket.resume();
      sockets.push(socket);
    }
  }
  return {
    async open() {
      const what = "silent connections to stand";
      await waitFor(() => numOpen === sockets.length, { timeoutMs: 30_000, what });
    },
    end() {
      for (const each of [...sessions, ...sockets]) each.destroy();
    },
  };
}

/** Headers, and half a message or nothing. */
function halfCall(session: ClientHttp2Session, path: string, isHalf: boolean): void {
  const stream = session.request({
    ...{ ":method": "POST", ":path": path },
    ...{ "content-type": "application/grpc", te: "trailers" },
  });
  stream.on("error", () => undefined);
  stream.resume();
  if (isHalf) stream.write(Buffer.from([0, 0, 0, 1, 0, 123]));
}

/** See `doc`. */
export const silentClient: FaultRow = {
  name: "silent-client",
  doc: "clients open more calls than a method has places, and more connections than an address may have, and say no more: honest callers at the same address never fail, nor do those that come later",
  counts: { full: 100, short: 2 },
  run,
  controls: [
    {
      name: "calls that wait for their caller make no room",
      file: "libs/rpc/dist/admission.js",
      find: "waiting.makeRoom(method) || untaken.makeRoom(method)",
      replace: "false",
      count: 2,
      expect: /(honest|late) \w+ failed: .*resource_exhausted/,
    },
    {
      name: "silent connections are kept, new ones refused",
      file: "libs/rpc/dist/connections.js",
      find: "const idle = idleOf(connections);",
      replace: "const idle = undefined;",
      count: 2,
      expect: /late \w+ failed/,
    },
  ],
};

import { join } from "node:path";
import {
  createJetStreamBus,
  ensureTopology,
  deploymentTopology,
  type EventBus,
  type NatsRole,
  type Topology,
} from "@stagecraft/bus";
import { trainer } from "@stagecraft/contracts";
import { createRpcClient } from "@stagecraft/rpc";
import { startNatsServer, tempDir, waitFor, type NatsServer } from "@stagecraft/testing";
import type { FaultContext } from "../fault-row.js";
import { CheckpointOracle } from "./checkpoint-oracle.js";
import { Cleanup } from "./cleanup.js";
import { RolloutTap } from "./rollout-tap.js";
import { natsUsers, passwordOf } from "./nats-users.js";
import { startService, type ServiceProcess, type ServiceStart } from "./service-process.js";
import { startSimulatedServers, type SimulatedServers } from "./simulated-servers.js";
import { writeTinyWorld, type TinyWorld } from "./tiny-world.js";

export interface PipelineOptions {
  context: FaultContext;
  numWorkers?: number;
  /** Rollouts of one update; default 4. */
  batchSize?: number;
  latencyMs?: number;
  /** A silent worker's tasks return after this; default 1 s. */
  ackWaitMs?: number;
  /** Further fields of the PPO run. */
  config?: Record<string, unknown>;
  /** Where run directories are; default in the temporary folder. */
  runsDir?: string;
  /** Of the broker's streams; default in the temporary folder. */
  storeDir?: string;
  /** Whether everybody comes to the broker as a user of its own, with no more rights than it needs. */
  secured?: boolean;
  /** A broker that dies counts its messages anew, so they cannot be compared by number. */
  brokerDies?: boolean;
  /** Of the trainer that creates the run. */
  firstTrainer?: Partial<ServiceStart>;
  trainerFlags?: ServiceStart["flags"];
  workerFlags?: ServiceStart["flags"];
}

/**
 * nats-server, the real trainer and real rollout workers, with a simulated policy and reward server:
 * a PPO run of tiny updates that goes on until it is disposed.
 */
export interface Pipeline extends AsyncDisposable {
  dir: string;
  runDir: string;
  world: TinyWorld;
  nats: NatsServer;
  bus: EventBus;
  topology: Topology;
  servers: SimulatedServers;
  oracle: CheckpointOracle;
  tap: RolloutTap;
  workers: ServiceProcess[];
  trainer: ServiceProcess;
  startWorker(more?: Partial<ServiceStart>): Promise<ServiceProcess>;
  startTrainer(more?: Partial<ServiceStart>): Promise<ServiceProcess>;
  /** Waits until so many more updates are committed; returns how long that took. */
  advance(updates: number, what: string): Promise<number>;
  /** The work; its failure comes with what the oracles saw and the last words of the processes. */
  explained<T>(work: Promise<T>): Promise<T>;
  /** Everything the oracles have to say. */
  check(): Promise<void>;
  problems(): string[];
}

const RUN_ID = "faulty";

export async function startPipeline(options: PipelineOptions): Promise<Pipeline> {
  const resources = new Cleanup();
  try {
    return await open(options, resources);
  } catch (thrown) {
    await resources[Symbol.asyncDispose]();
    throw thrown;
  }
}

async function open(options: PipelineOptions, resources: Cleanup): Promise<Pipeline> {
  const { context, numWorkers = 2, batchSize = 4, ackWaitMs = 1000 } = options;
  const { mutations } = context;
  const directory = resources.use(await tempDir("stagecraft-faults-"));
  const dir = directory.path;
  const world = await writeTinyWorld(dir);
  const store = options.storeDir === undefined ? {} : { storeDir: options.storeDir };
  const topology = deploymentTopology("faults", { taskAckWaitMs: ackWaitMs });
  const users = options.secured ? { config: natsUsers(topology) } : {};
  const nats = resources.use(
    await startNatsServer({ maxFileStoreBytes: 8 * 1024 ** 3, ...store, ...users }),
  );
  const loginOf = (user: NatsRole) =>
    options.secured ? { user, password: passwordOf(user) } : undefined;
  const busOptions = { servers: nats.url, requestTimeoutMs: 1000, ...loginOf("admin") };
  const bus = resources.use(await createJetStreamBus(busOptions));
  await ensureTopology(bus, topology);
  const { weightsBucket } = topology;
  const { vocabSize } = world;
  const { latencyMs = 5 } = options;
  const weightsDir = join(dir, "weights");
  const servers = resources.use(
    await startSimulatedServers({ bus, weightsBucket, weightsDir, vocabSize, latencyMs }),
  );
  const runsDir = options.runsDir ?? join(dir, "runs");
  const runDir = join(runsDir, RUN_ID);
  const oracle = new CheckpointOracle(runDir, batchSize);
  const tap = resources.use(await RolloutTap.open(bus, topology, () => oracle.pointer()));
  const common = { "nats-url": nats.url, deployment: "faults", "task-ack-wait-ms": ackWaitMs };
  const started: ServiceProcess[] = [];
  resources.defer(async () => {
    await Promise.all(started.map((each) => each.kill("SIGKILL")));
  });
  const start = async (name: "rollout" | "trainer", given: ServiceStart) => {
    const login = loginOf(name);
    const as: ServiceStart["flags"] = login
      ? { "nats-user": login.user, "nats-password": login.password }
      : {};
    const flags = { ...as, ...given.flags };
    const service = await startService(name, { mutations, ...given, flags });
    started.push(service);
    return service;
  };
  const startWorker = ({ flags, ...more }: Partial<ServiceStart> = {}) => {
    const addresses = { "policy-address": servers.address, "reward-address": servers.address };
    const all = { ...common, ...addresses, concurrency: 8, ...options.workerFlags, ...flags };
    return start("rollout", { flags: all, ...more });
  };
  const startTrainer = ({ flags, ...more }: Partial<ServiceStart> = {}) => {
    const folders = { "runs-dir": runsDir, "read-dirs": dir, "weights-dir": weightsDir };
    const own = { engine: "cpu", threads: 1, "lease-ms": 2000, "task-timeout-ms": 60_000 };
    const all = { ...common, ...folders, ...own, ...options.trainerFlags, ...flags };
    return start("trainer", { flags: all, ...more });
  };
  const pipeline: Pipeline = {
    ...{ dir, runDir, world, nats, bus, topology, servers, oracle, tap, startWorker, startTrainer },
    workers: [],
    trainer: await startTrainer(options.firstTrainer),
    async advance(updates, what) {
      const startedAt = performance.now();
      const target = (await oracle.pointer()) + updates;
      const arrived = waitFor(
        async () => (await oracle.pointer()) >= target || hopeless(pipeline, startedAt, options),
        {
          timeoutMs: context.patienceMs,
          intervalMs: 10,
          what: `stuck ${what}: update ${target}`,
        },
      );
      const moved = arrived.then((outcome) => {
        if (outcome !== true) throw new Error(`${outcome}, ${what}`);
      });
      await pipeline.explained(moved);
      return performance.now() - startedAt;
    },
    async explained(work) {
      try {
        return await work;
      } catch (thrown) {
        await oracle.look();
        const { trainer: current, workers } = pipeline;
        const logs = [current, ...workers].map((each) => `${each.name}: ${lastWords(each)}`);
        throw new Error([String(thrown), ...pipeline.problems(), ...logs].join("\n"), {
          cause: thrown,
        });
      }
    },
    check: () => oracle.look(),
    problems: () => [...new Set([...oracle.problems, ...tap.problems()])],
    [Symbol.asyncDispose]: () => resources[Symbol.asyncDispose](),
  };
  for (let i = 0; i < numWorkers; i++) pipeline.workers.push(await startWorker());
  await createRun(await pipeline.trainer.serving(), {
    policy: world.policyDir,
    rewardModel: world.rewardDir,
    prompts: [world.promptsFile],
    updates: 1_000_000,
    promptsPerUpdate: batchSize,
    epochs: 1,
    maxNewTokens: 4,
    missingEos: "keep",
    checkpointEvery: 1,
    keepCheckpoints: 100,
    inspectRollouts: 0,
    evalEvery: 0,
    seed: context.seed,
    engine: "cpu",
    threads: 1,
    ...options.config,
  });
  await waitFor(async () => (await oracle.pointer()) > 0, {
    timeoutMs: 120_000,
    what: "the first checkpoint",
  });
  return pipeline;
}

const LOOK_INTO_LOG_MS = 1000;

/** Why waiting for the next update is in vain; false while nothing says so. */
function hopeless(
  { tap, trainer: current }: Pipeline,
  startedAt: number,
  { brokerDies = false }: PipelineOptions,
): string | false {
  const unanswered = brokerDies ? undefined : tap.unanswered();
  if (unanswered !== undefined) return unanswered;
  if (performance.now() - startedAt < LOOK_INTO_LOG_MS) return false;
  const line = /^.*"level":"error".*"msg":"the run failed"\}$/m.exec(current.output())?.[0];
  if (line === undefined) return false;
  const { err } = JSON.parse(line) as { err?: { message?: string } };
  return `the run failed for good: ${err?.message ?? line}`;
}

/** The last warnings and errors of a process, or whatever it said last. */
function lastWords(service: ServiceProcess): string {
  const lines = service.output().trim().split("\n");
  const grave = lines.filter((line) => !/"level":"(info|debug)"|"level":30/.test(line));
  return (grave.length > 0 ? grave : lines).slice(-6).join("\n    ").slice(-4000);
}

async function createRun(address: string, config: Record<string, unknown>): Promise<void> {
  await using client = createRpcClient(trainer.TrainerServiceClient, address);
  const run = { runId: RUN_ID, stage: "ppo", resume: false, overwrite: false, runDir: "" };
  await client.createRun({ ...run, config });
}

import { randomUUID } from "node:crypto";
import { dirname, relative, resolve } from "node:path";
import { createMemoryBus, ensureTopology, type EventBus, type Topology } from "@stagecraft/bus";
import { trainer } from "@stagecraft/contracts";
import { StagecraftError } from "@stagecraft/core";
import type { StageContext, StageResult } from "@stagecraft/runs";
import type { PpoConfig } from "@stagecraft/ppo";
import { createRpcClient, createRpcServer, type RpcServer } from "@stagecraft/rpc";
import { openPolicyService } from "@stagecraft/service-policy";
import { openRewardModelService } from "@stagecraft/service-reward-model";
import { openRolloutService, type RewardPort } from "@stagecraft/service-rollout";
import { openTrainerService } from "@stagecraft/service-trainer";
import { silentLogger, type Logger } from "@stagecraft/telemetry";
import type { ChosenTemplate } from "@stagecraft/tokenizer";
import { createMemoryWeightStore } from "@stagecraft/weights";
import { runRemotely } from "../remote/run-remotely.js";

export interface EmbeddedClusterOptions {
  /** Served until the trainer publishes the first weights. */
  policyModelDir: string;
  /** A chat template of the policy's in the place of its model's. */
  policyChat?: ChosenTemplate;
  rewardModelDir: string;
  /** The run's directory; the trainer may write to its parent folder only. */
  runDir: string;
  /** Default: an in-memory bus that is closed with the cluster. */
  bus?: EventBus;
  /** Scores that are logged with every rollout and not counted, e.g. a gold score. */
  extraRewards?: readonly RewardPort[];
  /** Further reward models as `name=directory`; logged under their name, weighed by PPO's config. */
  rewardModels?: readonly string[];
  /** Sequences that grow at the same time; default 64. */
  maxActive?: number;
  logger?: Logger;
}

/** Policy, reward model, rollout worker and trainer in this process, talking gRPC on loopback. */
export interface EmbeddedCluster extends AsyncDisposable {
  /** `host:port` of each service, for clients of one's own. */
  readonly addresses: Readonly<Record<"policy" | "rewardModel" | "rollout" | "trainer", string>>;
  /**
   * Runs PPO on the trainer service. The context's signal cancels the run cleanly, with a checkpoint;
   * then and on failure it throws as the stage itself would.
   */
  runPpo(config: PpoConfig, context: StageContext): Promise<StageResult>;
  /** Stops everything: a run that is still going is paused at a checkpoint. */
  close(): Promise<void>;
}

/** What can be put on a server and taken down again. */
interface Service {
  register(server: RpcServer): void;
  close(): Promise<void>;
}

const RUN_NAME = "embedded";
const MINUTE_MS = 60_000;
const GRACE_MS = 2000;
/** Tokens of one pass of the policy when it scores: more takes memory and is no faster. */
const SCORE_TOKENS = 2048;
/** Sampling and training take turns in this process: what sampling holds is given up in between. */
const REST_AFTER_MS = 50;
/** One client in the same process: connections may grow old. */
const LIMITS = { maxConcurrentCalls: 4096, maxConnectionAgeMs: 7 * 24 * 60 * MINUTE_MS };

/** Starts the services; the engine must have been chosen by `initEngine()` if not the default. */
export async function createEmbeddedCluster(
  options: EmbeddedClusterOptions,
): Promise<EmbeddedCluster> {
  const { logger = silentLogger() } = options;
  const bus = options.bus ?? createMemoryBus({ logger });
  const topology = await ensureTopology(bus, RUN_NAME);
  const parts = await startServices({ ...options, logger, bus, topology });
  const { addresses, runsDir } = parts;
  const client = createRpcClient(trainer.TrainerServiceClient, addresses.trainer, {
    idempotent: ["createRun", "getRun", "cancelRun"],
  });
  const close = async () => {
    client.close();
    await parts.stop();
    if (!options.bus) await bus.close();
  };
  return {
    addresses,
    runPpo: async (config, context) =>
      runRemotely(
        client,
        {
          runId: `ppo-${randomUUID().slice(0, 8)}`,
          stage: "ppo",
          config,
          runDirName: dirNameWithin(runsDir, context.runDir),
        },
        context,
      ),
    close,
    [Symbol.asyncDispose]: close,
  };
}

interface Parts extends EmbeddedClusterOptions {
  bus: EventBus;
  topology: Topology;
  logger: Logger;
}

/** Every service on a server of its own, so that each could as well be another process. */
async function startServices(parts: Parts) {
  const { bus, topology, logger } = parts;
  const store = createMemoryWeightStore();
  const runsDir = dirname(resolve(parts.runDir));
  const running: (() => Promise<void>)[] = [];
  const stop = async () => {
    for (const stopOne of running.splice(0).reverse()) await stopOne();
  };
  const start = async (service: Service): Promise<string> => {
    const server = createRpcServer({ logger, limits: LIMITS });
    running.push(async () => {
      await service.close();
      await server.drain(GRACE_MS);
    });
    service.register(server);
    return `127.0.0.1:${(await server.start()).port}`;
  };
  try {
    const policy = await start(await openPolicy(parts, store));
    const rewardModel = await start(await openReward(parts));
    const rollout = await start(await openRollout(parts, { policy, rewardModel }));
    const trainerAddress = await start(
      await openTrainerService({
        bus,
        topology,
        store,
        runsDir,
        stages: [],
        samplersTakeTemplate: true,
        keepWeights: 1, // the sampler holds the same arrays
        taskTimeoutMs: 10 * MINUTE_MS,
        maxAttempts: 3,
        maxActive: 1,
        eventsKept: 10_000,
        logger,
      }),
    );
    return { addresses: { policy, rewardModel, rollout, trainer: trainerAddress }, runsDir, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

function openPolicy(parts: Parts, store: ReturnType<typeof createMemoryWeightStore>) {
  return openPolicyService({
    name: "policy",
    modelDir: parts.policyModelDir,
    chat: parts.policyChat,
    bus: parts.bus,
    weightsBucket: parts.topology.weightsBucket,
    store,
    maxActive: parts.maxActive ?? 64,
    maxQueued: 65_536,
    maxPrefillTokens: 2048,
    startWaitMs: 50,
    maxScoreTokens: SCORE_TOKENS,
    restAfterMs: REST_AFTER_MS,
    maxItemsPerRequest: 1024,
    logger: parts.logger,
  });
}

function openReward({ rewardModelDir, rewardModels = [] }: Parts) {
  const further = rewardModels.map((entry) => {
    const at = entry.indexOf("=");
    return { name: entry.slice(0, at), dir: entry.slice(at + 1) };
  });
  return openRewardModelService({
    models: [{ name: "reward", dir: rewardModelDir }, ...further],
    maxBatch: 32,
    maxWaitMs: 2,
    maxQueued: 65_536,
    maxItemsPerRequest: 1024,
  });
}

function openRollout(parts: Parts, addresses: { policy: string; rewardModel: string }) {
  return openRolloutService({
    workerId: "embedded",
    bus: parts.bus,
    topology: parts.topology,
    policyAddress: addresses.policy,
    rewards: [
      { address: addresses.rewardModel, model: "", weight: 1 },
      ...(parts.rewardModels ?? []).map((entry) => {
        return { address: addresses.rewardModel, model: entry.split("=")[0]!, weight: 0 };
      }),
    ],
    localRewards: (parts.extraRewards ?? []).map((port) => ({ port, weight: 0 })),
    concurrency: 1024,
    generateTimeoutMs: 10 * MINUTE_MS,
    scoreTimeoutMs: MINUTE_MS,
    connectTimeoutMs: 10_000,
    logger: parts.logger,
  });
}

function dirNameWithin(runsDir: string, runDir: string): string {
  const name = relative(runsDir, resolve(runDir));
  if (name !== "" && !name.startsWith("..")) return name;
  throw new StagecraftError(
    "invalid_argument",
    `run directory ${runDir} is not inside ${runsDir}, where this cluster's trainer writes`,
  );
}

import { mkdir } from "node:fs/promises";
import { createJetStreamBus, ensureTopology, deploymentTopology } from "@stagecraft/bus";
import { acquireDirectoryLock, type DirectoryLock } from "@stagecraft/checkpoint";
import { createSerialQueue, StagecraftError, throwIfAborted } from "@stagecraft/core";
import { createFleet, type Fleet } from "./fleet.js";
import { CLUSTER_LOCK, clusterLayout, type ClusterLayout } from "./layout.js";
import { startLogRotation } from "./log-rotation.js";
import { findNatsServer, writeNatsConfig } from "./nats.js";
import {
  SERVICES,
  type ClusterEvent,
  type ClusterOptions,
  type ResolvedOptions,
  type ScalableService,
} from "./options.js";
import { endOrphans } from "./orphans.js";
import { choosePagesPort, choosePorts } from "./ports.js";
import { checkPrograms } from "./programs.js";
import { checkModel, countProblem, resolveOptions } from "./resolve-options.js";
import { readSignInLink } from "./sign-in-link.js";
import type { ProcessInfo, StopOutcome } from "./supervised-process.js";

/** Where the parts of a cluster are reached. */
export interface ClusterAddresses {
  /** `nats://127.0.0.1:<port>`. */
  nats: string;
  trainer: string;
  /** One of each process. */
  policies: readonly string[];
  rewardModels: readonly string[];
  rollouts: readonly string[];
  /** Addresses for `createRpcClient` that follow the cluster as it is scaled. */
  policy: string;
  rewardModel: string;
  /** The pages for people; empty without a gateway. */
  pages: string;
}

/** Services as processes of this machine, supervised by this process. */
export interface Cluster extends AsyncDisposable {
  readonly options: Readonly<ResolvedOptions>;
  readonly layout: ClusterLayout;
  readonly startedAtMs: number;
  addresses(): ClusterAddresses;
  /** Every process with its pid, state and number of restarts. */
  processes(): ProcessInfo[];
  /** Resolves when the new ones serve, or the surplus ones have drained. */
  scale(service: ScalableService, count: number): Promise<StopOutcome[]>;
  /**
   * Has the reward models serve this directory from now on: all end, then as many start. Nothing is
   * scored meanwhile. When the new one does not start, the old one serves again and this throws.
   */
  useRewardModel(dir: string): Promise<void>;
  /** Ends everything, the broker last; says how each process ended. Calling again joins the first. */
  stop(): Promise<StopOutcome[]>;
}

/**
 * Starts a broker, policies, reward models, a trainer and rollout workers, and resolves when all of
 * them serve. They are restarted when they end and end when this process does. Throws
 * `failed_precondition` when another process runs a cluster in the folder, when something is missing
 * on this machine, or when a service does not start; then nothing is left running.
 */
export async function startCluster(given: ClusterOptions): Promise<Cluster> {
  const options = resolveOptions(given);
  const services = SERVICES.filter((service) => service !== "gateway" || options.gateway);
  checkPrograms(options, services);
  options.pagesPort = await choosePagesPort(options.portBase, options.pagesPort);
  const natsProgram = findNatsServer();
  const layout = clusterLayout(options.dir);
  for (const folder of [layout.logs, layout.addresses, layout.weights, options.runsDir]) {
    await mkdir(folder, { recursive: true });
  }
  const lock = await acquireDirectoryLock(layout.dir, CLUSTER_LOCK);
  try {
    const say = (level: ClusterEvent["level"], text: string) =>
      options.onEvent({ time: new Date().toISOString(), level, process: "", text });
    const orphans = await endOrphans(layout.processes, options.graceMs);
    if (orphans.length > 0) {
      say("warn", `ended what an earlier supervisor left behind: ${orphans.join(", ")}`);
    }
    return await startAll({ options, layout, lock, natsProgram, signal: given.signal });
  } catch (error) {
    await lock.release();
    throw error;
  }
}

interface Parts {
  options: ResolvedOptions;
  layout: ClusterLayout;
  lock: DirectoryLock;
  natsProgram: string;
  signal: AbortSignal | undefined;
}

async function startAll({ options, layout, lock, natsProgram, signal }: Parts): Promise<Cluster> {
  const startedAtMs = Date.now();
  const natsPorts = await choosePorts(options.portBase, "nats");
  const natsUrl = `nats://127.0.0.1:${natsPorts.port}`;
  const fleet = createFleet({ options, layout, natsUrl, onEvent: options.onEvent });
  const onAbort = () => void fleet.stop();
  signal?.addEventListener("abort", onAbort, { once: true });
  try {
    throwIfAborted(signal);
    const natsConfig = await writeNatsConfig(layout.nats, natsPorts.port);
    await fleet.startNats(natsProgram, natsConfig, natsPorts);
    await setUpStreams(natsUrl, options.deployment);
    await startServices(fleet, options);
    if (options.gateway) await tellPages(options, layout);
    throwIfAborted(signal);
  } catch (error) {
    await fleet.stop();
    throwIfAborted(signal);
    throw error;
  } finally {
    signal?.removeEventListener("abort", onAbort);
  }
  const { logMaxBytes: maxBytes, logKeep: keep } = options;
  const endRotation = startLogRotation(layout.logs, { maxBytes, keep });
  const end = async () => {
    endRotation();
    await lock.release();
  };
  let stopping: Promise<StopOutcome[]> | undefined;
  const stop = () => (stopping ??= fleet.stop().finally(end));
  const changes = createSerialQueue();
  return {
    options,
    layout,
    startedAtMs,
    addresses: () => addressesOf(fleet, { options, layout, natsUrl }),
    processes: () => fleet.processes(),
    async scale(service, count) {
      const [problem] = countProblem(service, count);
      if (problem !== undefined) throw new StagecraftError("invalid_argument", problem);
      return changes.run(async () => {
        if (stopping) throw new StagecraftError("failed_precondition", "the cluster is stopping");
        return fleet.scale(service, count);
      });
    },
    useRewardModel: (dir) =>
      changes.run(async () => {
        checkModel("reward model", dir);
        const before = options.rewardModelDir;
        const count = fleet.addresses("reward-model").length;
        const serve = async (model: string) => {
          options.rewardModelDir = model;
          await fleet.scale("reward-model", 0);
          await fleet.scale("reward-model", count);
        };
        await serve(dir).catch(async (error: unknown) => {
          await serve(before);
          throw error;
        });
      }),
    stop,
    [Symbol.asyncDispose]: async () => {
      await stop();
    },
  };
}

/** Servers first: a rollout worker asks the policy for its tokenizer when it starts. */
async function startServices(fleet: Fleet, options: ResolvedOptions): Promise<void> {
  await Promise.all([
    fleet.scale("policy", options.policies),
    fleet.scale("reward-model", options.rewards),
    fleet.startTrainer(),
  ]);
  await Promise.all([
    fleet.scale("rollout", options.rollouts),
    options.gateway && fleet.startGateway(),
  ]);
}

/** Where the pages are, and as long as nobody operates them the link for who does first. */
async function tellPages(options: ResolvedOptions, layout: ClusterLayout): Promise<void> {
  const link = await readSignInLink(layout.logOf("gateway"));
  const text = link
    ? `pages: ${link} signs the first operator in, once`
    : `pages: ${pagesOf(options)}`;
  options.onEvent({ time: new Date().toISOString(), level: "info", process: "gateway", text });
}

function pagesOf({ gateway, pagesPort }: ResolvedOptions): string {
  return gateway ? `http://127.0.0.1:${pagesPort}/` : "";
}

async function setUpStreams(natsUrl: string, deployment: string): Promise<void> {
  await using bus = await createJetStreamBus({ servers: [natsUrl], name: "cluster" });
  await ensureTopology(bus, deploymentTopology(deployment));
}

function addressesOf(
  fleet: Fleet,
  {
    options,
    layout,
    natsUrl,
  }: { options: ResolvedOptions; layout: ClusterLayout; natsUrl: string },
): ClusterAddresses {
  return {
    nats: natsUrl,
    trainer: fleet.addresses("trainer")[0] ?? "",
    policies: fleet.addresses("policy"),
    rewardModels: fleet.addresses("reward-model"),
    rollouts: fleet.addresses("rollout"),
    policy: `file:${layout.addressesOf("policy")}`,
    rewardModel: `file:${layout.addressesOf("reward-model")}`,
    pages: pagesOf(options),
  };
}

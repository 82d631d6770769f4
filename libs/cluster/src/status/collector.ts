import { resolve } from "node:path";
import type { ClusterEvent } from "../options.js";
import type { Cluster } from "../start-cluster.js";
import { watchBus } from "./ask-bus.js";
import { watchProcess, type ProcessWatcher } from "./ask-process.js";
import { watchTrainer } from "./ask-trainer.js";
import type { ClusterStatus, TrafficStatus } from "./types.js";

const EVERY_MS = 1000;
const EVENTS_KEPT = 50;

/** Knows how a cluster is doing. */
export interface StatusCollector {
  /** As of the last second. */
  status(): ClusterStatus;
  /** For the newest events of the status. */
  note(event: ClusterEvent): void;
  close(): Promise<void>;
}

/** Asks every process of a running cluster once a second. */
export async function collectStatus(cluster: Cluster): Promise<StatusCollector> {
  const bus = await watchBus(cluster.addresses().nats, cluster.options.deployment);
  const trainerWatcher = watchTrainer();
  const watchers = new Map<string, ProcessWatcher>();
  const events: ClusterEvent[] = [];
  let asking = false;
  const ask = async () => {
    if (asking) return;
    asking = true;
    const processes = cluster.processes();
    syncWatchers(watchers, processes);
    await Promise.all([
      bus.ask(),
      trainerWatcher.ask(cluster.addresses().trainer),
      ...processes.map((info) => watchers.get(keyOf(info))!.ask(info)),
    ]);
    asking = false;
  };
  await ask();
  const timer = setInterval(() => void ask(), EVERY_MS);
  return {
    status: () => {
      const training = trainerWatcher.training((runId) => bus.records(runId));
      const traffic = withTokens(bus.traffic(), [...watchers.values()]);
      return {
        ...describeCluster(cluster),
        processes: cluster
          .processes()
          .map((info) => ({ ...info, ...watchers.get(keyOf(info))?.figures() })),
        ...(traffic && { traffic }),
        ...(training && { training }),
        events: [...events],
      };
    },
    note(event) {
      events.push(event);
      if (events.length > EVENTS_KEPT) events.shift();
    },
    async close() {
      clearInterval(timer);
      for (const watcher of watchers.values()) watcher.close();
      trainerWatcher.close();
      await bus.close();
    },
  };
}

type Watched = ReturnType<Cluster["processes"]>[number];

/** A process that has moved to another port needs another connection. */
function keyOf({ name, port }: Watched): string {
  return `${name}:${port}`;
}

function syncWatchers(watchers: Map<string, ProcessWatcher>, processes: readonly Watched[]): void {
  const wanted = new Map(processes.map((info) => [keyOf(info), info]));
  for (const [key, watcher] of watchers) {
    if (wanted.has(key)) continue;
    watcher.close();
    watchers.delete(key);
  }
  for (const [key, info] of wanted) {
    if (!watchers.has(key)) watchers.set(key, watchProcess(info));
  }
}

function withTokens(
  traffic: TrafficStatus | undefined,
  watchers: readonly ProcessWatcher[],
): TrafficStatus | undefined {
  const rates = watchers.flatMap((watcher) => watcher.tokensPerSecond() ?? []);
  if (!traffic || rates.length === 0) return traffic;
  return { ...traffic, tokensPerSecond: rates.reduce((sum, rate) => sum + rate, 0) };
}

function describeCluster(cluster: Cluster) {
  const { options, layout, startedAtMs } = cluster;
  return {
    dir: layout.dir,
    deployment: options.deployment,
    startedAtMs,
    nowMs: Date.now(),
    addresses: cluster.addresses(),
    models: {
      policy: resolve(options.policyModelDir),
      reward: resolve(options.rewardModelDir),
      further: options.rewardModels,
    },
    runsDir: resolve(options.runsDir),
    engine: { engine: options.engine, threads: options.threads },
  };
}

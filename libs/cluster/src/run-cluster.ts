import { setTimeout as delay } from "node:timers/promises";
import { serveControl } from "./control/server.js";
import type { ClusterOptions } from "./options.js";
import type { ClusterView } from "./screen/views.js";
import { startCluster, type Cluster } from "./start-cluster.js";
import { collectStatus, type StatusCollector } from "./status/collector.js";
import type { StopOutcome } from "./supervised-process.js";

/** Starts a cluster, shows it, answers its control socket, and stops it when asked to. */
export async function runCluster(
  options: ClusterOptions & { signal: AbortSignal },
  view: ClusterView,
): Promise<void> {
  let collector: StatusCollector | undefined;
  const onEvent: ClusterOptions["onEvent"] = (event) => {
    collector?.note(event);
    view.event(event);
  };
  try {
    const cluster = await startCluster({ ...options, onEvent });
    try {
      collector = await collectStatus(cluster);
      await serveUntilStopped(cluster, collector, { view, signal: options.signal });
    } finally {
      const outcomes = await cluster.stop();
      await collector?.close();
      view.close();
      view.ended(outcomes);
    }
  } finally {
    view.close();
  }
}

async function serveUntilStopped(
  cluster: Cluster,
  collector: StatusCollector,
  { view, signal }: { view: ClusterView; signal: AbortSignal },
): Promise<void> {
  const asked = new AbortController();
  const stop = async (): Promise<StopOutcome[]> => {
    asked.abort();
    return cluster.stop();
  };
  const control = await serveControl(cluster.layout.socket, {
    status: () => collector.status(),
    scale: (service, count) => cluster.scale(service, count),
    useRewardModel: (dir) => cluster.useRewardModel(dir),
    stop,
  });
  const onAbort = () => asked.abort();
  signal.addEventListener("abort", onAbort, { once: true });
  if (signal.aborted) asked.abort();
  try {
    while (!asked.signal.aborted) {
      view.show(collector.status());
      await delay(view.everyMs, undefined, { signal: asked.signal }).catch(() => undefined);
    }
    // Shown while it stops too, on a terminal.
    const stopping = cluster.stop();
    let stopped = false;
    void stopping.finally(() => (stopped = true));
    while (!stopped) {
      if (view.everyMs < 1000) view.show(collector.status());
      await Promise.race([stopping, delay(view.everyMs)]);
    }
  } finally {
    signal.removeEventListener("abort", onAbort);
    await cluster.stop();
    await control.close();
  }
}

import type { EventBus, Topology } from "@stagecraft/bus";
import { METRICS, type Metrics } from "@stagecraft/telemetry";

/** What waits on the bus, asked for at every scrape; there are no figures while it does not answer. */
export function reportBacklog(
  metrics: Metrics,
  bus: Pick<EventBus, "consumerInfo">,
  { promptsConsumer, rolloutsConsumer }: Topology,
): void {
  const pending = metrics.gauge(METRICS.busPending);
  metrics.onScrape(async () => {
    try {
      const [prompts, rollouts] = await Promise.all([
        bus.consumerInfo(promptsConsumer),
        bus.consumerInfo(rolloutsConsumer),
      ]);
      pending.set({ kind: "prompts" }, prompts.pending);
      pending.set({ kind: "rollouts" }, rollouts.pending);
    } catch {
      for (const kind of ["prompts", "rollouts"]) pending.remove({ kind });
    }
  });
}

import type { EventBus, Topology } from "@stagecraft/bus";
import { METRICS, type Metrics } from "@stagecraft/telemetry";

/** What waits on the bus, asked for at every scrape; the figures stay as they were while it is away. */
export function reportBacklog(
  metrics: Metrics,
  bus: Pick<EventBus, "consumerInfo">,
  { promptsConsumer, rolloutsConsumer }: Topology,
): void {
  const pending = metrics.gauge(METRICS.busPending);
  metrics.onScrape(async () => {
    const [prompts, rollouts] = await Promise.all([
      bus.consumerInfo(promptsConsumer),
      bus.consumerInfo(rolloutsConsumer),
    ]);
    pending.set({ kind: "prompts" }, prompts.pending);
    pending.set({ kind: "rollouts" }, rollouts.pending);
  });
}

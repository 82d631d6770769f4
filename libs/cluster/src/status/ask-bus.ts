import { setTimeout as delay } from "node:timers/promises";
import {
  createJetStreamBus,
  DEAD_STREAM,
  deploymentTopology,
  type EventBus,
} from "@stagecraft/bus";
import { decodeMessage, events } from "@stagecraft/contracts";
import type { JsonObject } from "@stagecraft/core";
import { createFresh } from "./fresh.js";
import { createRateMeter } from "./rate.js";
import type { TrafficStatus } from "./types.js";

const WINDOW_MS = 10_000;
/** A broker that is away is not waited for. */
const PATIENCE_MS = 1000;

/** What stands on the bus, and the latest figures that runs have sent over it. */
export interface BusWatcher {
  /** Never throws; what a broker does not say again is absent soon. */
  ask(): Promise<void>;
  traffic(): TrafficStatus | undefined;
  /** The last record of each kind (update, eval) of a run. */
  records(runId: string): ReadonlyMap<string, JsonObject>;
  close(): Promise<void>;
}

/** Connects to the broker, which must be up. */
export async function watchBus(natsUrl: string, deployment: string): Promise<BusWatcher> {
  const bus = await createJetStreamBus({ servers: [natsUrl], name: "status" });
  const { promptsConsumer, rolloutsConsumer, subjects } = deploymentTopology(deployment);
  const rollouts = createRateMeter(WINDOW_MS);
  const records = new Map<string, Map<string, JsonObject>>();
  const listening = listenForRecords(bus, subjects.progress, records);
  const traffic = createFresh<TrafficStatus>();
  let asking = false;
  const look = async (): Promise<TrafficStatus> => {
    const [prompts, results, stream, dead] = await Promise.all([
      bus.consumerInfo(promptsConsumer),
      bus.consumerInfo(rolloutsConsumer),
      bus.streamInfo(rolloutsConsumer.stream),
      bus.streamInfo(DEAD_STREAM),
    ]);
    const nowMs = performance.now();
    rollouts.add(stream.lastSequence, nowMs);
    const rolloutsPerSecond = rollouts.perSecond(nowMs);
    return {
      promptsWaiting: prompts.pending,
      promptsInWork: prompts.ackPending,
      rolloutsWaiting: results.pending,
      rolloutsHeld: results.ackPending,
      deadLetters: dead.messages,
      ...(rolloutsPerSecond !== undefined && { rolloutsPerSecond }),
    };
  };
  return {
    async ask() {
      if (asking) return; // the broker is away; the question before still waits for it
      asking = true;
      const looking = look()
        .then((seen) => traffic.set(seen, performance.now()))
        .catch(() => undefined)
        .finally(() => (asking = false));
      await Promise.race([looking, delay(PATIENCE_MS, undefined, { ref: false })]);
    },
    traffic: () => traffic.get(performance.now()),
    records: (runId) => records.get(runId) ?? new Map(),
    async close() {
      await bus.close();
      await listening;
    },
  };
}

async function listenForRecords(
  bus: EventBus,
  subject: string,
  records: Map<string, Map<string, JsonObject>>,
): Promise<void> {
  try {
    for await (const { data } of await bus.listen(subject)) {
      const { runId, metrics } = decodeMessage(events.Progress, data, "progress");
      const kind = (metrics as JsonObject | undefined)?.["kind"];
      if (typeof kind !== "string") continue;
      const ofRun = records.get(runId) ?? new Map<string, JsonObject>();
      records.set(runId, ofRun.set(kind, metrics as JsonObject));
    }
  } catch {
    // The connection is closed, or somebody sends what is no progress; the status goes without.
  }
}

import { setTimeout as delay } from "node:timers/promises";
import type { EventBus, Lease, Topology } from "@stagecraft/bus";
import {
  decodeMessage,
  events,
  parseWeightsPublished,
  type ParsedWeights,
} from "@stagecraft/contracts";
import { StagecraftError } from "@stagecraft/core";
import { silentLogger, type Logger } from "@stagecraft/telemetry";

/** Key of the newest announcement in the deployment's weights bucket. */
export const WEIGHTS_KEY = "weights";

/** Tells the policies which weights to use. */
export interface Announcements {
  /** What was announced when this was opened; undefined: nothing that can be read. */
  readonly version: number | undefined;
  /** Throws `aborted` when another trainer has the word now. */
  announce(value: Uint8Array): Promise<void>;
  /** Says the last word again where the broker has lost it. */
  restore(): Promise<void>;
}

export interface AnnouncementsOptions {
  bus: EventBus;
  topology: Topology;
  lease?: Lease | undefined;
}

/** Tries beyond which the broker counts as gone. */
const MAX_ATTEMPTS = 60;
const RETRY_MS = 100;

/**
 * Announces by compare-and-set: what a former holder of the lease still has on its tongue finds
 * another revision. Opening writes the present value once more, so that this holds from now on.
 */
export async function openAnnouncements(options: AnnouncementsOptions): Promise<Announcements> {
  const { bus, topology, lease } = options;
  const bucket = await bus.keyValue(topology.weightsBucket);
  let revision = 0;
  let last: Uint8Array | undefined;
  const look = async () => {
    const entry = await bucket.get(WEIGHTS_KEY);
    revision = entry?.revision ?? 0;
    return entry;
  };
  const announce = async (value: Uint8Array) => {
    last = value;
    for (let attempt = 1; ; attempt++) {
      await lease?.confirm({ fresh: attempt > 1 });
      try {
        revision = await bucket.update(WEIGHTS_KEY, value, revision);
        return;
      } catch (thrown) {
        // Another trainer, an answer that was lost, or a broker that forgot: the lease decides.
        const { code } = StagecraftError.from(thrown);
        if (attempt === MAX_ATTEMPTS || (code !== "aborted" && code !== "unavailable"))
          throw thrown;
        await delay(RETRY_MS);
        await look().catch(() => undefined);
      }
    }
  };
  const present = await look();
  if (present) await announce(present.value);
  return {
    version: present && versionOf(present.value),
    announce,
    async restore() {
      if (last !== undefined && !(await look())) await announce(last);
    },
  };
}

function versionOf(value: Uint8Array): number | undefined {
  try {
    return readAnnouncement(value).version;
  } catch {
    return undefined;
  }
}

function readAnnouncement(value: Uint8Array): ParsedWeights {
  const event = decodeMessage(events.WeightsPublished, value, "weights announcement");
  return parseWeightsPublished(event).weights;
}

/** What the trainer announces on the bus, from the newest on. Unreadable announcements are skipped. */
export async function* weightAnnouncements(
  bus: EventBus,
  bucket: string,
  { signal, logger = silentLogger() }: { signal: AbortSignal; logger?: Logger },
): AsyncGenerator<ParsedWeights> {
  const values = await bus.keyValue(bucket);
  for await (const { value } of values.watch(WEIGHTS_KEY, signal)) {
    try {
      yield readAnnouncement(value);
    } catch (error) {
      logger.error({ err: error }, "announcement of weights cannot be read");
    }
  }
}

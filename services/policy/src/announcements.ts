import type { EventBus } from "@stagecraft/bus";
import {
  decodeMessage,
  events,
  parseWeightsPublished,
  type ParsedWeights,
} from "@stagecraft/contracts";
import { silentLogger, type Logger } from "@stagecraft/telemetry";

/** Key of the newest announcement in the weights bucket. */
const WEIGHTS_KEY = "weights";

/** What the trainer announces on the bus, from the newest on. Unreadable announcements are skipped. */
export async function* weightAnnouncements(
  bus: EventBus,
  bucket: string,
  { signal, logger = silentLogger() }: { signal: AbortSignal; logger?: Logger },
): AsyncGenerator<ParsedWeights> {
  const values = await bus.keyValue(bucket);
  for await (const { value } of values.watch(WEIGHTS_KEY, signal)) {
    try {
      const event = decodeMessage(events.WeightsPublished, value, "weights announcement");
      yield parseWeightsPublished(event).weights;
    } catch (error) {
      logger.error({ err: error }, "announcement of weights cannot be read");
    }
  }
}

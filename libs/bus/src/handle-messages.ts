import { isCancelled, StagecraftError } from "@stagecraft/core";
import { silentLogger, type Logger } from "@stagecraft/telemetry";
import type { BusMessage, Consumer } from "./bus.js";
import { settlementFor, type Settlement } from "./settlement.js";

/** What a handler could not do, and what becomes of the message. */
export interface FailedMessage {
  message: BusMessage;
  error: StagecraftError;
  settlement: Settlement;
}

export interface HandlingOptions {
  /** Closed when the handling ends. */
  consumer: Consumer;
  /** Resolve to ack; throw to nak or term (see `settlementFor`). */
  handle(message: BusMessage): Promise<void>;
  /** Told when a message has been handled and the ack is confirmed. */
  onHandled?(message: BusMessage): void;
  /**
   * Told before a message is settled as its failure asks. When it throws, the message is not settled
   * and comes again. Default: a warning in the log.
   */
  onFailure?(failed: FailedMessage): Promise<void>;
  /** Handlers at once. */
  concurrency: number;
  logger?: Logger;
}

/** Handlers at work on the messages of a consumer. */
export interface MessageHandling {
  readonly numInFlight: number;
  /** Returns the concurrency before. */
  setConcurrency(concurrency: number): number;
  /** Takes no new message; resolves when every message in flight is settled. */
  stop(): Promise<void>;
}

/**
 * Handles messages until it is stopped. For one-message-one-result workers; a batch that is acked after
 * a commit reads its consumer itself.
 */
export function handleMessages(options: HandlingOptions): MessageHandling {
  const { consumer, logger = silentLogger() } = options;
  let { concurrency } = options;
  const stopping = new AbortController();
  const inFlight = new Set<Promise<void>>();
  let wake = () => {};

  const next = async (): Promise<BusMessage | undefined> => {
    try {
      return await consumer.next(stopping.signal);
    } catch (error) {
      if (!isCancelled(error)) logger.error({ err: error }, "no more messages from the bus");
      return undefined;
    }
  };
  const pull = async () => {
    while (!stopping.signal.aborted) {
      if (inFlight.size >= concurrency) {
        await new Promise<void>((resolve) => (wake = resolve));
        continue;
      }
      const message = await next();
      if (!message) return;
      const work = handleOne(message, options, logger).finally(() => {
        inFlight.delete(work);
        wake();
      });
      inFlight.add(work);
    }
  };
  const pulling = pull();
  const finish = async () => {
    stopping.abort();
    wake();
    await pulling;
    await consumer.close(); // gives prefetched messages back at once
    await Promise.all(inFlight);
  };
  let stopped: Promise<void> | undefined;
  return {
    get numInFlight() {
      return inFlight.size;
    },
    setConcurrency(wanted) {
      const previous = concurrency;
      concurrency = wanted;
      wake();
      return previous;
    },
    stop: () => (stopped ??= finish()),
  };
}

/** Settles the message, whatever happens. */
async function handleOne(
  message: BusMessage,
  { handle, onHandled, onFailure }: HandlingOptions,
  logger: Logger,
): Promise<void> {
  const { subject, id, delivery } = message;
  try {
    await handle(message);
    await message.ack();
    onHandled?.(message);
  } catch (thrown) {
    const error = StagecraftError.from(thrown);
    const settlement = settlementFor(error, delivery, Math.random());
    try {
      if (onFailure) await onFailure({ message, error, settlement });
      else logger.warn({ subject, id, delivery, err: error, settlement }, "message not handled");
      if (settlement.kind === "term") await message.term(settlement.reason);
      else await message.nak(settlement.delayMs);
    } catch (failure) {
      logger.warn({ subject, id, delivery, err: failure }, "not settled; it will come again");
    }
  }
}

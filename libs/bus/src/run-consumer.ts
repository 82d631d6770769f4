import { silentLogger, withSpan, type Logger, type TraceScope } from "@stagecraft/telemetry";
import type { BusMessage, ConsumerSpec, EventBus } from "./bus.js";
import { settlementFor } from "./settlement.js";

export interface RunConsumerOptions {
  /** Handlers at once; default 1. */
  concurrency?: number;
  /** Stops fetching; handlers in flight get to finish (pass them the signal to cut them short). */
  signal: AbortSignal;
  logger?: Logger;
}

/** Resolve to ack; throw to nak or term (see `settlementFor`). The scope's context continues the trace. */
export type MessageHandler = (message: BusMessage, scope: TraceScope) => Promise<void>;

/**
 * Handles messages until the signal fires; resolves when every handler in flight is done and every
 * message settled or returned. For one-message-one-result workers; a batch that is acked after a
 * commit uses `bus.consume()` itself.
 */
export async function runConsumer(
  bus: EventBus,
  spec: ConsumerSpec,
  handler: MessageHandler,
  options: RunConsumerOptions,
): Promise<void> {
  const { concurrency = 1, signal, logger = silentLogger() } = options;
  if (signal.aborted) return;
  await using consumer = await bus.consume(spec);
  // One listener for all lanes; closing also gives prefetched messages back at once.
  let closing: Promise<void> | undefined;
  const stop = () => {
    closing = consumer.close();
  };
  signal.addEventListener("abort", stop, { once: true });
  if (signal.aborted) stop();
  const runLane = async () => {
    for (let message = await consumer.next(); message; message = await consumer.next()) {
      await handleOne(message, { spec, handler, logger });
    }
  };
  try {
    await Promise.all(Array.from({ length: concurrency }, runLane));
    await closing;
  } finally {
    signal.removeEventListener("abort", stop);
  }
}

interface Lane {
  spec: ConsumerSpec;
  handler: MessageHandler;
  logger: Logger;
}

async function handleOne(message: BusMessage, lane: Lane): Promise<void> {
  const { spec, handler, logger } = lane;
  const facts = { subject: message.subject, id: message.id, delivery: message.delivery };
  try {
    await withSpan(
      `${spec.durable} process`,
      {
        kind: "consumer",
        parent: message.trace,
        attributes: { "messaging.message.id": message.id },
      },
      (scope) => handler(message, scope),
    );
    await message.ack();
  } catch (error) {
    const settlement = settlementFor(error, message.delivery, Math.random());
    logger.warn({ ...facts, err: error, settlement }, "bus: message not handled");
    await (
      settlement.kind === "term" ? message.term(settlement.reason) : message.nak(settlement.delayMs)
    ).catch((failure: unknown) => {
      logger.warn({ ...facts, err: failure }, "bus: not settled, it will come again");
    });
  }
}

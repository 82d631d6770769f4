import { isCancelled } from "@stagecraft/core";
import { silentLogger, withSpan, type Logger, type TraceScope } from "@stagecraft/telemetry";
import type { BusMessage, Consumer, ConsumerSpec, EventBus } from "./bus.js";
import { settlementFor } from "./settlement.js";

export interface RunConsumerOptions {
  /** Handlers at once; default 1. The consumer fetches no more than this ahead. */
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
  await using consumer = await bus.consume({ ...spec, prefetch: spec.prefetch ?? concurrency });
  const lanes = Array.from({ length: concurrency }, () =>
    runLane(consumer, { spec, handler, signal, logger }),
  );
  await Promise.all(lanes);
}

interface Lane {
  spec: ConsumerSpec;
  handler: MessageHandler;
  signal: AbortSignal;
  logger: Logger;
}

async function runLane(consumer: Consumer, lane: Lane): Promise<void> {
  for (;;) {
    let message: BusMessage | undefined;
    try {
      message = await consumer.next(lane.signal);
    } catch (error) {
      if (isCancelled(error) || lane.signal.aborted) return;
      throw error;
    }
    if (!message) return;
    await handleOne(message, lane);
  }
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

import { randomUUID } from "node:crypto";
import { expect } from "vitest";
import type { BusMessage, EventBus, StreamSpec } from "@stagecraft/bus";

export const bytes = (text: string) => new TextEncoder().encode(text);
export const text = (data: Uint8Array) => new TextDecoder().decode(data);

export type WorkOptions = Partial<StreamSpec> & { ackWaitMs?: number };

/** What every part of the contract works with. */
export interface BusKit {
  /** Open from the first case on. */
  readonly bus: EventBus;
  /** A stream with one consumer of short ack wait. */
  setUp(change?: WorkOptions): ReturnType<typeof setUpWork>;
}

export async function setUpWork(bus: EventBus, { ackWaitMs = 300, ...rest }: WorkOptions) {
  const id = randomUUID().slice(0, 8);
  const subject = `stagecraft.${id}.work`;
  const stream = `WORK_${id}`;
  await bus.ensureStream({
    name: stream,
    subjects: [subject],
    retention: "workqueue",
    discard: "new",
    maxBytes: 1024 * 1024,
    ...rest,
  });
  const spec = { stream, durable: "workers", ackWaitMs };
  await bus.ensureConsumer(spec);
  return { subject, stream, spec };
}

/** The next message, which must be there. */
export async function takeNext(consumer: {
  next(): Promise<BusMessage | undefined>;
}): Promise<BusMessage> {
  const message = await consumer.next();
  expect(message).toBeDefined();
  return message!;
}

import { StagecraftError } from "@stagecraft/core";
import type { PublishAck, PublishOptions } from "../bus.js";
import { DEAD_PREFIX, DEAD_STREAM, type DeadLetter, type DeadLetters } from "../dead-letters.js";
import type { Broker, RequiredConsumerSpec, StoredMessage } from "./broker.js";
import { HEADER, headerText } from "./headers.js";

const PREFIX = "stagecraft.";

export type DeadLetterSink = (
  message: StoredMessage & { delivery: number },
  consumer: Pick<RequiredConsumerSpec, "stream" | "durable">,
  reason: string,
) => Promise<void>;

type Publish = (subject: string, data: Uint8Array, options: PublishOptions) => Promise<PublishAck>;

/** Stores under an id made of where the message was, so that doing it twice is harmless. */
export function createDeadLetterSink(publish: Publish): DeadLetterSink {
  return async (message, { stream, durable }, reason) => {
    await publish(DEAD_PREFIX + tail(message.subject), message.data, {
      id: `dead.${stream}.${durable}.${message.sequence}`,
      headers: {
        ...withoutOurs(message.headers),
        [HEADER.dedupeId]: `dead.${stream}.${durable}.${message.sequence}`,
        [HEADER.id]: message.headers[HEADER.id] ?? message.headers[HEADER.dedupeId] ?? "",
        [HEADER.deadReason]: headerText(reason),
        [HEADER.deadStream]: stream,
        [HEADER.deadConsumer]: durable,
        [HEADER.deadSequence]: String(message.sequence),
        [HEADER.deadDelivery]: String(message.delivery),
      },
    });
  };
}

export function createDeadLetters(
  broker: Pick<Broker, "read" | "remove">,
  publish: Publish,
): DeadLetters {
  const find = async (sequence: number): Promise<StoredMessage> => {
    const message = await broker.read(DEAD_STREAM, sequence);
    if (message?.sequence === sequence) return message;
    throw new StagecraftError("not_found", `no dead letter ${sequence}; list shows what there is`);
  };
  return {
    async list({ subject, after = 0, limit = 100 } = {}) {
      const filter = DEAD_PREFIX + (subject === undefined ? ">" : tail(subject));
      const letters: DeadLetter[] = [];
      for (let from = after + 1; letters.length < limit;) {
        const message = await broker.read(DEAD_STREAM, from, filter);
        if (!message) break;
        letters.push(describe(message));
        from = message.sequence + 1;
      }
      return letters;
    },
    async show(sequence) {
      const message = await find(sequence);
      return { ...describe(message), data: message.data, headers: { ...message.headers } };
    },
    async requeue(sequence) {
      const message = await find(sequence);
      const { subject, id } = describe(message);
      // The original id may still be remembered as stored: a new one per dead letter, the same on a
      // repeat. The publisher's own travels beside it.
      await publish(subject, message.data, {
        id: `requeue.${sequence}.${id}`,
        headers: { ...withoutOurs(message.headers), [HEADER.id]: id },
      });
      await broker.remove(DEAD_STREAM, sequence);
    },
    discard: (sequence) => broker.remove(DEAD_STREAM, sequence),
  };
}

function describe(message: StoredMessage): DeadLetter {
  const text = (name: string) => message.headers[name] ?? "";
  return {
    sequence: message.sequence,
    reason: text(HEADER.deadReason),
    subject: PREFIX + message.subject.slice(DEAD_PREFIX.length),
    id: text(HEADER.id),
    stream: text(HEADER.deadStream),
    consumer: text(HEADER.deadConsumer),
    delivery: Number(text(HEADER.deadDelivery)),
    diedAtMs: message.storedAtMs,
    sizeBytes: message.data.length,
  };
}

/** A subject without the prefix that all of ours have; a queue and its dead letters share the rest. */
function tail(subject: string): string {
  return subject.startsWith(PREFIX) ? subject.slice(PREFIX.length) : subject;
}

/** Without what we write ourselves, and without the headers that are orders to the broker. */
function withoutOurs(headers: Readonly<Record<string, string>>): Record<string, string> {
  const ours = /^(nats-|stagecraft-)/i;
  return Object.fromEntries(Object.entries(headers).filter(([name]) => !ours.test(name)));
}

import type { ConsumerInfo } from "../bus.js";
import type {
  Delivery,
  PullSink,
  PullSource,
  RequiredConsumerSpec,
  StoredMessage,
} from "../common/broker.js";
import { subjectMatches } from "../common/subjects.js";
import type { MemoryStream } from "./memory-stream.js";

/** A durable consumer: who waits, what is out, what must come again. */
export interface MemoryConsumer {
  spec: RequiredConsumerSpec;
  /** Looks for work; after a publish, a settlement, a timeout. */
  poke(): void;
  open(sink: PullSink): PullSource;
  info(): ConsumerInfo;
  close(): void;
}

interface InFlight {
  message: StoredMessage;
  delivery: number;
  timer: NodeJS.Timeout;
}

interface Puller {
  sink: PullSink;
  wanted: number;
}

export function createMemoryConsumer(
  stream: MemoryStream,
  initial: RequiredConsumerSpec,
  onRemoved: () => void,
): MemoryConsumer {
  const inFlight = new Map<number, InFlight>();
  /** Sequence → deliveries so far, of messages to deliver again, in order of their turn. */
  const again = new Map<number, number>();
  /** Sequence → timer, of messages whose turn comes later. */
  const delays = new Map<number, NodeJS.Timeout>();
  const pullers: Puller[] = [];
  let cursor = 0;

  const nextMessage = (): { message: StoredMessage; delivery: number } | undefined => {
    for (const [sequence, deliveries] of again) {
      again.delete(sequence);
      const message = stream.get(sequence);
      if (message) return { message, delivery: deliveries + 1 };
    }
    const { lastSequence } = stream.info();
    while (cursor < lastSequence) {
      const message = stream.get(++cursor);
      if (message && matches(message)) return { message, delivery: 1 };
    }
    return undefined;
  };
  const matches = ({ subject }: StoredMessage) =>
    subjectMatches(consumer.spec.filterSubject ?? ">", subject);

  /** Takes the message out of flight; undefined when this delivery is no longer the current one. */
  const take = (sequence: number): InFlight | undefined => {
    const entry = inFlight.get(sequence);
    if (!entry) return undefined;
    clearTimeout(entry.timer);
    inFlight.delete(sequence);
    return entry;
  };
  const redeliver = (entry: InFlight, delayMs: number) => {
    const { sequence } = entry.message;
    const put = () => {
      again.set(sequence, entry.delivery);
      consumer.poke();
    };
    if (delayMs <= 0) return put();
    const timer = setTimeout(() => {
      delays.delete(sequence);
      put();
    }, delayMs);
    delays.set(sequence, timer);
  };
  const startTimer = (sequence: number) =>
    setTimeout(() => {
      const entry = take(sequence);
      if (entry) redeliver(entry, 0);
    }, consumer.spec.ackWaitMs);

  const done = (sequence: number) => {
    // As in JetStream, a late ack of an earlier delivery counts too.
    if (take(sequence) === undefined && !again.delete(sequence)) return;
    if (stream.spec.retention === "workqueue" && stream.remove(sequence)) onRemoved();
    consumer.poke();
  };
  const deliveryOf = (message: StoredMessage, delivery: number): Delivery => {
    const { sequence } = message;
    const settled = (act: () => void) => {
      act();
      return Promise.resolve();
    };
    return {
      ...message,
      data: Uint8Array.from(message.data),
      delivery,
      ack: () => settled(() => done(sequence)),
      term: () => settled(() => done(sequence)),
      nak: (delayMs) =>
        settled(() => {
          const entry = inFlight.get(sequence)?.delivery === delivery ? take(sequence) : undefined;
          if (entry) redeliver(entry, delayMs);
          consumer.poke();
        }),
      working: () => {
        const entry = inFlight.get(sequence);
        if (!entry) return;
        clearTimeout(entry.timer);
        entry.timer = startTimer(sequence);
      },
    };
  };

  let poking = false;
  const consumer: MemoryConsumer = {
    spec: initial,
    poke() {
      if (poking) return;
      poking = true;
      queueMicrotask(() => {
        poking = false;
        deliverAll();
      });
    },
    open(sink) {
      const puller = { sink, wanted: 0 };
      pullers.push(puller);
      return {
        request(count) {
          puller.wanted = count;
          consumer.poke();
        },
        stop: () => {
          const at = pullers.indexOf(puller);
          if (at >= 0) pullers.splice(at, 1);
          return Promise.resolve();
        },
      };
    },
    info() {
      let pending = again.size;
      for (const message of stream.messages()) {
        if (message.sequence > cursor && matches(message)) pending++;
      }
      const redelivered = [...inFlight.values()].filter(({ delivery }) => delivery > 1).length;
      const open = [...inFlight.keys(), ...again.keys(), ...delays.keys()];
      const ackFloor = open.length === 0 ? cursor : Math.min(...open) - 1;
      return { pending, ackPending: inFlight.size + delays.size, redelivered, ackFloor };
    },
    close() {
      for (const { timer } of inFlight.values()) clearTimeout(timer);
      for (const timer of delays.values()) clearTimeout(timer);
      inFlight.clear();
      pullers.length = 0;
    },
  };

  function deliverAll(): void {
    while (inFlight.size < consumer.spec.maxAckPending) {
      const puller = pullers.find(({ wanted }) => wanted > 0);
      if (!puller) return;
      const found = nextMessage();
      if (!found) return;
      const { message, delivery } = found;
      inFlight.set(message.sequence, { message, delivery, timer: startTimer(message.sequence) });
      puller.wanted--;
      // Last served goes last, so that workers share.
      pullers.push(...pullers.splice(pullers.indexOf(puller), 1));
      puller.sink.onDelivery(deliveryOf(message, delivery));
    }
  }
  return consumer;
}

import type { TraceContext } from "@stagecraft/telemetry";
import type { DeadLetters } from "./dead-letters.js";
import type { ObjectStore } from "./objects.js";

/**
 * Durable messages, small shared state and large objects, on JetStream or in memory. Delivery is at
 * least once: consumers must be idempotent by an id in the payload. An ack is not durability either
 * (a broker killed at once forgets some): commit first, then ack, and expect the message again.
 */
export interface EventBus extends AsyncDisposable {
  /**
   * Stores one message. Repeats with the same id until the broker confirms (a timeout means
   * "unknown") and waits while the stream is full, which is the backpressure on producers. Throws
   * after `timeoutMs`: `resource_exhausted` when still full, `unavailable` when unknown (publish again
   * with the same id); `cancelled` by the signal; `invalid_argument` when the message is too large.
   */
  publish(subject: string, data: Uint8Array, options: PublishOptions): Promise<PublishAck>;

  /** Opens a durable pull consumer; see Consumer. The consumer must exist (`ensureConsumer`). */
  consume(spec: ConsumerSpec): Promise<Consumer>;

  /** Fire and forget to whoever listens now (core NATS); lost when nobody does. */
  broadcast(subject: string, data: Uint8Array): void;
  /**
   * Hears broadcasts and published messages on a subject (`*` and `>` allowed) from the moment it
   * resolves until closed. Slow readers lose the oldest beyond `maxQueued` (default 1024).
   */
  listen(subject: string, options?: { maxQueued?: number }): Promise<Listener>;

  keyValue(bucket: string): Promise<KeyValue>;
  objects(bucket: string): Promise<ObjectStore>;
  readonly deadLetters: DeadLetters;

  /** Creates, or brings to this state; refuses changes the broker cannot make. Says which it was. */
  ensureStream(spec: StreamSpec): Promise<Ensured>;
  ensureConsumer(spec: ConsumerSpec): Promise<Ensured>;
  ensureBucket(bucket: string, options?: BucketOptions): Promise<Ensured>;
  streamInfo(stream: string): Promise<StreamInfo>;
  consumerInfo(spec: Pick<ConsumerSpec, "stream" | "durable">): Promise<ConsumerInfo>;
  deleteStream(stream: string): Promise<void>;
  /**
   * Removes what a consumer has settled without gaps, except the newest `keep` (default 0). A `limits`
   * stream keeps acked messages, and one that refuses when full would fill up with them: call it
   * after acking a batch. What is kept still deduplicates after a broker restart.
   */
  trimSettled(spec: Pick<ConsumerSpec, "stream" | "durable">, keep?: number): Promise<void>;

  /**
   * Stores a canary message: the only sign that the disk works (a full one hangs silently while the
   * broker's own health says ok). Throws `unavailable`. Needs `ensureTopology()`.
   */
  checkReady(timeoutMs: number): Promise<void>;
  /** Closes consumers and listeners, then the connection. */
  close(): Promise<void>;
}

/** What it took to bring something to the wanted state. */
export type Ensured = "created" | "updated" | "unchanged";

export interface PublishOptions {
  /** Message id for the broker's deduplication (within its window); the same on every repeat. */
  id: string;
  headers?: Readonly<Record<string, string>>;
  /** Carried along as traceparent. */
  trace?: TraceContext;
  /** For all repeats together; default 30 s, Infinity allowed with a signal. */
  timeoutMs?: number;
  signal?: AbortSignal;
}

export interface PublishAck {
  sequence: number;
  /** The broker had this id already. */
  duplicate: boolean;
}

/** One delivery. Exactly one of ack, nak, term settles it; later ones do nothing. */
export interface BusMessage {
  readonly subject: string;
  /** A copy of its own, safe to keep. */
  readonly data: Uint8Array;
  /** The publisher's id. */
  readonly id: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly sequence: number;
  /** 1 on the first delivery. */
  readonly delivery: number;
  readonly publishedAtMs: number;
  readonly trace: TraceContext;
  /** Done, never again. Throws `unavailable` when the broker does not confirm: it will come again. */
  ack(): Promise<void>;
  /** Again later, to anybody; default at once. */
  nak(delayMs?: number): Promise<void>;
  /** Never again: stored as a dead letter with the reason first, then removed. */
  term(reason: string): Promise<void>;
  /** Restarts the ack wait; needed only when the consumer does not keep messages alive itself. */
  working(): void;
}

/**
 * A pull consumer: messages flow only as fast as `next()` is called, plus `prefetch`. Messages held by
 * a live process are kept from redelivery; those of a dead one return after `ackWaitMs`.
 */
export interface Consumer extends AsyncIterable<BusMessage>, AsyncDisposable {
  /** Undefined when closed. Throws `cancelled` when the signal fires. */
  next(signal?: AbortSignal): Promise<BusMessage | undefined>;
  /** Messages delivered and not settled. */
  numHeld(): number;
  /** Returns prefetched messages to the queue at once; handed-out ones can still be settled. */
  close(): Promise<void>;
}

export interface ConsumerSpec {
  stream: string;
  durable: string;
  /** Default all of the stream. */
  filterSubject?: string;
  /** Redelivery after this silence; ≈ 3 × the 99th percentile of handling. Default 30 s. */
  ackWaitMs?: number;
  /** Deliveries outstanding over all workers: prefetch × workers, or what a batch holds. Default 1024. */
  maxAckPending?: number;
  /** A message delivered more often becomes a dead letter. Default 10; Infinity allowed. */
  maxDeliver?: number;
  /** Messages fetched ahead of `next()`. Default 0: one worker hoards nothing another could do. */
  prefetch?: number;
  /** Tell the broker "still working" while this process holds a message. Default true. */
  keepAlive?: boolean;
  /** Keeping alive ends after this; a stuck handler then loses the message. Default 15 min. */
  maxHoldMs?: number;
}

export interface StreamSpec {
  name: string;
  subjects: readonly string[];
  /** `workqueue` removes on ack; `limits` keeps until a limit. */
  retention: "workqueue" | "limits";
  /** When full: `new` refuses (backpressure), `old` forgets the oldest. */
  discard: "new" | "old";
  maxBytes: number;
  /** Whether one that is there keeps its size: `maxBytes` is that of a new one. Default false. */
  keepSize?: boolean;
  maxMessages?: number;
  maxAgeMs?: number;
  maxMessagesPerSubject?: number;
  /** How long ids are remembered; default 2 min. */
  duplicateWindowMs?: number;
  /** Default 1; production wants 3. */
  replicas?: number;
  /** Whether a message may erase the earlier ones of its subject by a header. Default false. */
  allowRollup?: boolean;
}

export interface StreamInfo {
  /** When the broker set it up: a stream of another time is another stream. */
  createdAtMs: number;
  messages: number;
  bytes: number;
  /** What it may hold; Infinity: no bound of its own. */
  maxBytes: number;
  /** 0 when nothing was ever stored. */
  firstSequence: number;
  lastSequence: number;
}

export interface ConsumerInfo {
  /** Stored, not yet delivered. */
  pending: number;
  /** Delivered, not settled. */
  ackPending: number;
  redelivered: number;
  /** Everything up to this sequence is settled. */
  ackFloor: number;
}

export interface Listener extends AsyncIterable<BroadcastMessage>, AsyncDisposable {
  /** Messages lost because the reader was slow. */
  numDropped(): number;
  close(): Promise<void>;
}

export interface BroadcastMessage {
  readonly subject: string;
  readonly data: Uint8Array;
}

export interface BucketOptions {
  /** For objects. Default: what it has. */
  maxBytes?: number;
  /** Of a new one whose `maxBytes` is not set; default 16 MiB. */
  startBytes?: number;
  replicas?: number;
}

/** Small values by key, each with a revision that only grows. */
export interface KeyValue {
  /** Returns the new revision. */
  put(key: string, value: Uint8Array): Promise<number>;
  get(key: string): Promise<KeyValueEntry | undefined>;
  /**
   * Writes only when the revision is still `expected` (0 = the key does not exist), else throws
   * `aborted`: how a writer finds out that another took over.
   */
  update(key: string, value: Uint8Array, expected: number): Promise<number>;
  delete(key: string): Promise<void>;
  /** The value now (when there is one) and after every change, newest only; ends with the signal. */
  watch(key: string, signal: AbortSignal): AsyncIterable<KeyValueEntry>;
}

export interface KeyValueEntry {
  readonly key: string;
  readonly value: Uint8Array;
  /** Counts anew when the broker has lost its store. */
  readonly revision: number;
  readonly createdAtMs: number;
}

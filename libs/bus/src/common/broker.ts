import type {
  BucketOptions,
  ConsumerInfo,
  ConsumerSpec,
  Ensured,
  KeyValue,
  Listener,
  PublishAck,
  StreamInfo,
  StreamSpec,
} from "../bus.js";

/** What an implementation provides; everything above it (`createBus`) is shared. */
export interface Broker {
  /**
   * One attempt. Throws `resource_exhausted` when the stream is full, `unavailable` when it is not
   * known whether the message was stored.
   */
  store(subject: string, data: Uint8Array, headers: Headers): Promise<PublishAck>;
  /** The first stored message at or after a sequence, optionally of one subject pattern. */
  read(stream: string, from: number, subject?: string): Promise<StoredMessage | undefined>;
  /** True when it was there. */
  remove(stream: string, sequence: number): Promise<boolean>;
  purge(stream: string, subject: string): Promise<void>;
  /** Removes everything below a sequence. */
  trim(stream: string, below: number): Promise<void>;
  openPull(spec: RequiredConsumerSpec, sink: PullSink): Promise<PullSource>;
  broadcast(subject: string, data: Uint8Array): void;
  listen(subject: string, maxQueued: number): Promise<Listener>;
  keyValue(bucket: string): Promise<KeyValue>;
  ensureStream(spec: StreamSpec): Promise<Ensured>;
  ensureConsumer(spec: RequiredConsumerSpec): Promise<Ensured>;
  ensureKeyValue(bucket: string, options: BucketOptions): Promise<Ensured>;
  /** Gives a stream another size and leaves the rest of it alone. */
  resize(stream: string, maxBytes: number): Promise<void>;
  /** The subjects, within a pattern, that the stream has messages of. */
  subjects(stream: string, pattern: string): Promise<string[]>;
  streamInfo(stream: string): Promise<StreamInfo>;
  consumerInfo(stream: string, durable: string): Promise<ConsumerInfo>;
  deleteStream(stream: string): Promise<void>;
  close(): Promise<void>;
}

export type Headers = Readonly<Record<string, string>>;
export type RequiredConsumerSpec = Required<Omit<ConsumerSpec, "filterSubject">> &
  Pick<ConsumerSpec, "filterSubject">;

export interface StoredMessage {
  readonly subject: string;
  readonly data: Uint8Array;
  readonly headers: Headers;
  readonly sequence: number;
  readonly storedAtMs: number;
}

/** A stored message in somebody's hands. */
export interface Delivery extends StoredMessage {
  readonly delivery: number;
  ack(): Promise<void>;
  nak(delayMs: number): Promise<void>;
  /** Removes without a trace; the caller has stored the dead letter. */
  term(): Promise<void>;
  working(): void;
}

export interface PullSink {
  onDelivery(delivery: Delivery): void;
  /** The last request is spent or lost: nothing more comes before the next. */
  onSpent(): void;
}

export interface PullSource {
  /** Up to `count` more deliveries; only after the last request was filled or spent. */
  request(count: number): void;
  /** Resolves when nothing more will be delivered. */
  stop(): Promise<void>;
}

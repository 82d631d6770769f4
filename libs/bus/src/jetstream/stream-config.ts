import {
  AckPolicy,
  DeliverPolicy,
  DiscardPolicy,
  nanos,
  RetentionPolicy,
  StorageType,
  type ConsumerConfig,
  type StreamConfig,
} from "nats";
import type { StreamSpec } from "../bus.js";
import type { RequiredConsumerSpec } from "../common/broker.js";

/** The broker's words for a stream; `known` is what it has been, if it is there. */
export function streamConfig(
  spec: StreamSpec,
  known?: Pick<StreamConfig, "max_bytes">,
): Partial<StreamConfig> & { name: string } {
  return {
    name: spec.name,
    subjects: [...spec.subjects],
    storage: StorageType.File,
    retention: spec.retention === "workqueue" ? RetentionPolicy.Workqueue : RetentionPolicy.Limits,
    discard: spec.discard === "new" ? DiscardPolicy.New : DiscardPolicy.Old,
    max_bytes: spec.keepSize && known ? known.max_bytes : spec.maxBytes,
    max_msgs: spec.maxMessages ?? -1,
    max_msgs_per_subject: spec.maxMessagesPerSubject ?? -1,
    max_age: nanos(spec.maxAgeMs ?? 0),
    // The broker refuses a window longer than the age.
    duplicate_window: nanos(Math.min(spec.duplicateWindowMs ?? 120_000, spec.maxAgeMs || Infinity)),
    num_replicas: spec.replicas ?? 1,
    allow_direct: true,
    allow_rollup_hdrs: spec.allowRollup ?? false,
  };
}

/** `max_deliver` stays open: the broker would keep a poison message for ever, unseen. */
export function consumerConfig(spec: RequiredConsumerSpec): Partial<ConsumerConfig> {
  return {
    durable_name: spec.durable,
    ack_policy: AckPolicy.Explicit,
    deliver_policy: DeliverPolicy.All,
    ack_wait: nanos(spec.ackWaitMs),
    max_ack_pending: spec.maxAckPending,
    max_deliver: -1,
    max_waiting: 4096,
    ...(spec.filterSubject === undefined ? {} : { filter_subject: spec.filterSubject }),
  };
}

/** Whether every field of `wanted` is so already. */
export function hasFields(actual: object, wanted: object): boolean {
  const have = actual as Record<string, unknown>;
  return Object.entries(wanted).every(
    ([name, value]) => JSON.stringify(have[name] ?? absent(value)) === JSON.stringify(value),
  );
}

/** The broker leaves zero values out of its answers. */
function absent(value: unknown): unknown {
  return value === false || value === 0 ? value : undefined;
}

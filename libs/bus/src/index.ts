export type {
  BroadcastMessage,
  BucketOptions,
  BusMessage,
  Consumer,
  ConsumerInfo,
  ConsumerSpec,
  Ensured,
  EventBus,
  KeyValue,
  KeyValueEntry,
  Listener,
  PublishAck,
  PublishOptions,
  StreamInfo,
  StreamSpec,
} from "./bus.js";
export type { ObjectContent, ObjectInfo, ObjectStore } from "./objects.js";
export { DEAD_PREFIX, DEAD_STREAM, type DeadLetter, type DeadLetters } from "./dead-letters.js";
export { createJetStreamBus, type JetStreamOptions } from "./jetstream/jetstream-bus.js";
export { acquireLease, type Lease, type LeaseOptions } from "./lease.js";
export { createMemoryBus } from "./memory/memory-bus.js";
export {
  NATS_ROLES,
  natsServerConfig,
  type NatsPermissions,
  type NatsRole,
  type NatsTlsFiles,
} from "./nats-users.js";
export {
  handleMessages,
  type FailedMessage,
  type HandlingOptions,
  type MessageHandling,
} from "./handle-messages.js";
export {
  deleteTopology,
  ensureTopology,
  deploymentTopology,
  modelsBucket,
  setUpTopology,
  type Topology,
  type TopologyOptions,
  type TopologyPart,
} from "./topology.js";
export { watchTopology, type TopologyWatch, type TopologyWatchOptions } from "./topology-watch.js";

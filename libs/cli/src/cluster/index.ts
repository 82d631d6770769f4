export { clusterLayout, defaultClusterDir, type ClusterLayout } from "./layout.js";
export type {
  ClusterEvent,
  ClusterOptions,
  ResolvedOptions,
  ScalableService,
  ServiceName,
} from "./options.js";
export { startCluster, type Cluster, type ClusterAddresses } from "./start-cluster.js";
export type { ProcessInfo, ProcessState, StopOutcome } from "./supervised-process.js";

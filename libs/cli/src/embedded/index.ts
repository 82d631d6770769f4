export {
  createEmbeddedCluster,
  type EmbeddedCluster,
  type EmbeddedClusterOptions,
} from "./embedded-cluster.js";
export { createMemoryWeightStore } from "@stagecraft/checkpoint";
export { runRemotely, type RemoteRun } from "./run-remotely.js";

export {
  createEmbeddedCluster,
  type EmbeddedCluster,
  type EmbeddedClusterOptions,
} from "./embedded-cluster.js";
export { createMemoryWeightStore } from "@stagecraft/weights";
export { runRemotely, type RemoteRun } from "./run-remotely.js";

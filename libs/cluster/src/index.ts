export { connectControl, type ControlClient } from "./control/client.js";
export { detachCluster } from "./detach.js";
export { clusterLayout, defaultClusterDir, type ClusterLayout } from "./layout.js";
export {
  SCALABLE,
  SERVICES,
  type ClusterOptions,
  type ScalableService,
  type ServiceName,
} from "./options.js";
export { runCluster } from "./run-cluster.js";
export { openLiveScreen } from "./screen/live-screen.js";
export { renderStatus } from "./screen/render.js";
export { createView, outcomeText } from "./screen/views.js";
export { startCluster } from "./start-cluster.js";
export type { ClusterStatus } from "./status/types.js";
export { stopCluster } from "./stop-cluster.js";

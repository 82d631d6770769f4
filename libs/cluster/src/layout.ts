import { createHash } from "node:crypto";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";

/** Where a cluster keeps what. */
export interface ClusterLayout {
  dir: string;
  logs: string;
  logOf(process: string): string;
  nats: string;
  weights: string;
  /** What people say: the gateway's database. */
  feedback: string;
  /** One file for each service that clients find by address file. */
  addresses: string;
  addressesOf(service: string): string;
  /** The processes that were started, for whoever comes after a killed supervisor. */
  processes: string;
  socket: string;
}

/** The lock of a cluster's folder. */
export const CLUSTER_LOCK = { file: "cluster.lock", what: "folder with --dir" };

/** Default folder of the cluster called `name`. */
export function defaultClusterDir(name = "main"): string {
  return join(".stagecraft", "cluster", name);
}

/** A unix socket's path holds 107 bytes on Linux, 103 on macOS. */
const MAX_SOCKET_PATH = 100;

/** The paths of a cluster in `dir`; nothing is created. */
export function clusterLayout(dir: string): ClusterLayout {
  const root = resolve(dir);
  const socket = join(root, "control.sock");
  const hash = createHash("sha256").update(root).digest("hex").slice(0, 16);
  const logs = join(root, "logs");
  const addresses = join(root, "addresses");
  return {
    dir: root,
    logs,
    logOf: (process) => join(logs, `${process}.log`),
    nats: join(root, "nats"),
    weights: join(root, "weights"),
    feedback: join(root, "feedback"),
    addresses,
    addressesOf: (service) => join(addresses, service),
    processes: join(root, "processes.json"),
    socket:
      Buffer.byteLength(socket) <= MAX_SOCKET_PATH
        ? socket
        : join(tmpdir(), `stagecraft-${hash}.sock`),
  };
}

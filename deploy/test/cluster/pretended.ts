// What stands in for nodes on a control plane that has none: the API server is told that they are ready, and
// that pods which were placed on them run. Scheduler, controllers, budgets and evictions are the real ones.
import { setTimeout as delay } from "node:timers/promises";
import { apply, kubectl, kubectlBeside } from "./server.js";

/** Why no nodes are pretended here, if so: real ones would be disturbed, and are drained by running.test.ts. */
export function nodesThere(): string | undefined {
  const names = kubectl(["get", "nodes", "--output=name"]).trim();
  return names === "" ? undefined : "this cluster has nodes of its own";
}

interface Pod {
  metadata: { name: string; deletionTimestamp?: string };
  spec: { nodeName?: string; containers: { name: string; image: string }[] };
  status: { phase?: string };
}

/** Nodes of that many CPUs and GPUs each, and room for the namespace's claims. Gone with it. */
export function pretendNodes(namespace: string, count: number, { cpus = 32, gpus = 0 } = {}) {
  const names = Array.from({ length: count }, (_, i) => `${namespace}-node-${i}`);
  const volumes = ["data-trainer-0", "data-nats-0", "data-nats-1", "data-nats-2"];
  apply(names.map(nodeObject));
  apply(volumes.map((claim) => volumeObject(namespace, claim)));
  const silent = new Set<string>();
  const beat = () => {
    const status = JSON.stringify({ status: nodeStatus(cpus, gpus) });
    for (const name of names.filter((one) => !silent.has(one))) {
      kubectl(["patch", "node", name, "--subresource=status", "--type=merge", "--patch", status]);
    }
  };
  const step = () => {
    beat();
    const list = kubectl(["--namespace", namespace, "get", "pods", "--output=json"]);
    for (const pod of (JSON.parse(list) as { items: Pod[] }).items) {
      if (!silent.has(pod.spec.nodeName ?? "")) attend(namespace, pod);
    }
  };
  return {
    names,
    /** That node is heard of no more. */
    silence: (name: string) => void silent.add(name),
    /** Pods come and go until the command has ended; its output. `look` sees every step. */
    async during(args: readonly string[], look = () => {}): Promise<string> {
      let ended = false;
      const running = kubectlBeside(args).finally(() => (ended = true));
      while (!ended) {
        step();
        look();
        await Promise.race([running.catch(() => undefined), delay(200)]);
      }
      return running;
    },
    [Symbol.dispose]: () => {
      kubectl(["delete", "node", ...names, "--wait=false"]);
      kubectl(["delete", "pv", ...volumes.map((claim) => `${namespace}-${claim}`), "--wait=false"]);
    },
  };
}

/** As a kubelet: runs what was placed, ends what is to end. */
function attend(namespace: string, { metadata, spec, status }: Pod) {
  const inNamespace = ["--namespace", namespace];
  if (metadata.deletionTimestamp !== undefined) {
    const now = ["--grace-period=0", "--force", "--ignore-not-found", "--wait=false"];
    kubectl([...inNamespace, "delete", "pod", metadata.name, ...now]);
  } else if (spec.nodeName !== undefined && status.phase === "Pending") {
    const patch = JSON.stringify({ status: runningStatus(spec.containers) });
    const how = ["--subresource=status", "--type=merge", "--patch", patch];
    kubectl([...inNamespace, "patch", "pod", metadata.name, ...how]);
  }
}

const condition = (type: string) => ({ type, status: "True", reason: "Pretended", ...times() });
const times = () => {
  const now = new Date().toISOString().replace(/\.\d+/, "");
  return { lastHeartbeatTime: now, lastTransitionTime: now };
};

function runningStatus(containers: readonly { name: string; image: string }[]) {
  const conditions = ["Initialized", "ContainersReady", "Ready", "PodScheduled"].map((type) => ({
    type,
    status: "True",
    lastTransitionTime: times().lastTransitionTime,
  }));
  const containerStatuses = containers.map(({ name, image }) => ({
    ...{ name, image, imageID: image, ready: true, started: true, restartCount: 0 },
    state: { running: { startedAt: times().lastTransitionTime } },
  }));
  return { phase: "Running", conditions, containerStatuses };
}

const nodeObject = (name: string) => ({
  apiVersion: "v1",
  kind: "Node",
  metadata: {
    name,
    labels: { "kubernetes.io/hostname": name, "nvidia.com/gpu.present": "true" },
  },
});

function nodeStatus(cpus: number, gpus: number) {
  const allocatable = {
    ...{ cpu: String(cpus), memory: "256Gi", pods: "110", "ephemeral-storage": "500Gi" },
    "nvidia.com/gpu": String(gpus),
  };
  return { capacity: allocatable, allocatable, conditions: [condition("Ready")] };
}

const volumeObject = (namespace: string, claim: string) => ({
  apiVersion: "v1",
  kind: "PersistentVolume",
  metadata: { name: `${namespace}-${claim}` },
  spec: {
    accessModes: ["ReadWriteOnce"],
    capacity: { storage: "1Ti" },
    claimRef: { namespace, name: claim },
    hostPath: { path: "/nowhere" },
  },
});

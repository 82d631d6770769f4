import type { Manifest } from "./schemas.js";

/** What the tests read of a container. */
export interface Container {
  name: string;
  image: string;
  command?: string[];
  args?: string[];
  env?: Variable[];
  ports?: { name: string; containerPort: number }[];
  resources?: { requests?: Record<string, string>; limits?: Record<string, string> };
  securityContext?: Record<string, unknown>;
  volumeMounts?: { name: string; mountPath: string; readOnly?: boolean }[];
  lifecycle?: { preStop?: { exec?: { command: string[] } } };
  startupProbe?: Probe;
  readinessProbe?: Probe;
  livenessProbe?: Probe;
}

/** A variable of the environment. */
export interface Variable {
  name: string;
  value?: string;
  valueFrom?: {
    configMapKeyRef?: { name: string; key: string };
    secretKeyRef?: { name: string; key: string };
  };
}

/** A probe by gRPC or HTTP. */
export interface Probe {
  grpc?: { port: number; service?: string };
  httpGet?: { path: string; port: string | number };
  periodSeconds?: number;
  failureThreshold?: number;
}

/** What the tests read of a pod. */
export interface PodSpec {
  automountServiceAccountToken?: boolean;
  serviceAccountName?: string;
  terminationGracePeriodSeconds?: number;
  nodeSelector?: Record<string, string>;
  tolerations?: { key?: string; tolerationSeconds?: number }[];
  priorityClassName?: string;
  securityContext?: Record<string, unknown>;
  initContainers?: Container[];
  containers: Container[];
  volumes?: {
    name: string;
    configMap?: { name: string };
    secret?: { secretName: string; items?: { key: string; path: string }[] };
    persistentVolumeClaim?: { claimName: string };
  }[];
}

/** Anything that makes pods, flattened. */
export interface Workload {
  kind: string;
  name: string;
  labels: Record<string, string>;
  pod: PodSpec;
  container: Container;
  replicas: number;
  /** Those that run before the container, and the container. */
  containers: Container[];
  claimTemplates: Manifest[];
}

interface WorkloadSpec {
  replicas?: number;
  template?: { metadata: { labels: Record<string, string> }; spec: PodSpec };
  volumeClaimTemplates?: Manifest[];
}

/** Pods of every kind among the manifests. Each has one container, after some that prepare it. */
export function workloadsOf(manifests: readonly Manifest[]): Workload[] {
  return manifests.flatMap((manifest) => {
    const { kind, metadata } = manifest;
    const spec = manifest["spec"] as (WorkloadSpec & PodSpec) | undefined;
    const pod = kind === "Pod" ? spec : spec?.template?.spec;
    const labels = kind === "Pod" ? metadata.labels : spec?.template?.metadata.labels;
    const [container, another] = pod?.containers ?? [];
    if (!pod || !container) return [];
    if (another) throw new Error(`${metadata.name}: the tests know pods of one container`);
    const claimTemplates = spec?.volumeClaimTemplates ?? [];
    const containers = [...(pod.initContainers ?? []), container];
    const own = { kind, name: metadata.name, labels: labels ?? {}, replicas: spec?.replicas ?? 1 };
    return [{ ...own, pod, container, containers, claimTemplates }];
  });
}

/** Those that serve, and therefore need probes. */
export function serversOf(manifests: readonly Manifest[]): Workload[] {
  return workloadsOf(manifests).filter(
    ({ kind, name }) => /^(Deployment|StatefulSet)$/.test(kind) && name !== "model-loader",
  );
}

/** The object of that kind and name; throws when there is none. */
export function find(manifests: readonly Manifest[], kind: string, name: string): Manifest {
  const found = manifests.find((one) => one.kind === kind && one.metadata.name === name);
  if (!found) throw new Error(`no ${kind} ${name}`);
  return found;
}

/** What people have in the Secret of the object store, for the tests. */
const STORE: Record<string, string> = {
  ...{ url: "s3://models", endpoint: "https://s3.example.org", region: "us-east-1" },
  ...{ "access-key-id": "key", "secret-access-key": "some text" },
};

/** Names and values of a container's variables, `$(NAME)` of an earlier one filled in as Kubernetes does. */
export function variablesOf(
  manifests: readonly Manifest[],
  { env = [] }: Pick<Container, "env">,
): Map<string, string | undefined> {
  const values = new Map<string, string | undefined>();
  for (const variable of env) {
    const value = valueOf(manifests, variable)?.replace(/\$\(([A-Z_]+)\)/g, (_, name: string) => {
      const earlier = values.get(name);
      if (earlier === undefined) throw new Error(`${variable.name}: no ${name} before it`);
      return earlier;
    });
    values.set(variable.name, value);
  }
  return values;
}

/** What stands in a variable; undefined for what only the cluster knows. */
export function valueOf(manifests: readonly Manifest[], variable: Variable): string | undefined {
  const { configMapKeyRef, secretKeyRef } = variable.valueFrom ?? {};
  if (secretKeyRef?.name === "stagecraft-store") return STORE[secretKeyRef.key];
  const { name, key } = configMapKeyRef ?? {};
  if (name === undefined || key === undefined) return variable.value;
  const value = (find(manifests, "ConfigMap", name)["data"] as Record<string, string>)[key];
  if (value === undefined) throw new Error(`${variable.name}: no ${key} in ConfigMap ${name}`);
  return value;
}

const UNITS: Record<string, number> = {
  Ki: 2 ** 10,
  Mi: 2 ** 20,
  Gi: 2 ** 30,
  Ti: 2 ** 40,
  m: 1e-3,
};

/** A Kubernetes quantity as a number: `500m` is 0.5, `20Gi` 20 × 2³⁰. */
export function quantity(text: string | undefined): number {
  const [, number, unit = ""] = /^([\d.]+)(Ki|Mi|Gi|Ti|m)?$/.exec(text ?? "") ?? [];
  if (number === undefined) throw new Error(`no quantity: ${text}`);
  return Number(number) * (unit === "" ? 1 : (UNITS[unit] ?? Number.NaN));
}

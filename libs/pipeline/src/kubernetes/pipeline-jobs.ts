import { createHash } from "node:crypto";
import { StagecraftError } from "@stagecraft/core";

/** An object of Kubernetes as it is sent. */
export type KubeObject = Record<string, unknown>;

/** A Secret whose entries are files of a folder, such as a token. */
export interface JobSecret {
  secret: string;
  path: string;
}

/** A claim and where a pod finds it. */
export interface JobVolume {
  claim: string;
  path: string;
  readOnly: boolean;
}

export interface PipelineJobsOptions {
  /** Of everything in the cluster: `NAME`, `NAME-STAGE`. */
  name: string;
  namespace: string;
  /** The pipeline file as it is. */
  fileText: string;
  /** `NAME=VALUE` for the file's variables. */
  settings: readonly string[];
  /** Run directory in the pods. */
  runDir: string;
  /** Stages that are done again from their beginning; those that use their outputs are among them. */
  again: ReadonlySet<string>;
  /** Name of that rerun, its time: a pod that comes after a lost one goes on with it. */
  rerunId: string;
  image: string;
  volumes: readonly JobVolume[];
  cpu: string;
  memory: string;
  gpus: number;
  /** Kueue's LocalQueue: the Job waits until the queue admits it. */
  queue?: string | undefined;
  /** Secret whose entries become variables, such as STAGECRAFT_S3_SECRET_ACCESS_KEY. */
  envSecret?: string | undefined;
  /** Secrets that are mounted, for settings that name files. */
  secrets?: readonly JobSecret[];
  /**
   * Secret with ca.crt, tls.crt and tls.key, as cert-manager makes it: the broker is called by TLS, by that
   * authority, and shown that certificate. Settings of the stages find the files in `TLS_FOLDER`.
   */
  tlsSecret?: string | undefined;
  serviceAccount?: string | undefined;
  /** Where the stages' models go, each under the stage's id; a name in an object store. */
  pushModels?: string | undefined;
}

/** A stage of a pipeline, and the earlier ones whose outputs it uses. */
export interface JobStage {
  id: string;
  uses: readonly string[];
}

export const FINGERPRINT = "stagecraft.dev/fingerprint";
/** Id of the rerun that a Job belongs to. */
export const RERUN = "stagecraft.dev/rerun";
const PIPELINE = "stagecraft.dev/pipeline";
const MOUNT = "/etc/stagecraft";
/** Where a Job's pods have their certificate, as the services do. */
export const TLS_FOLDER = "/etc/stagecraft-tls";
/** Until a checkpoint is written. */
const GRACE_S = 300;

export const jobsPath = (namespace: string) => `/apis/batch/v1/namespaces/${namespace}/jobs`;

/** Throws `invalid_argument` for what cannot be part of the names of Kubernetes' objects. */
export function checkJobName(name: string, most = 40): void {
  if (name.length <= most && /^[a-z0-9]([a-z0-9-]*[a-z0-9])?$/.test(name)) return;
  throw new StagecraftError(
    "invalid_argument",
    `${JSON.stringify(name)} is no name for Jobs: up to ${most} lower-case letters, digits and dashes; give another with --name`,
  );
}

/** The file for the pods. */
export function pipelineConfigMap({ name, namespace, fileText }: PipelineJobsOptions): KubeObject {
  return {
    apiVersion: "v1",
    kind: "ConfigMap",
    metadata: { name, namespace, labels: labelsOf(name) },
    data: { "pipeline.yaml": fileText },
  };
}

/**
 * The Job of one stage: the same command as here, up to that stage. What is finished in the run directory is
 * skipped there and what was interrupted goes on, so a pod that is lost costs what came after its checkpoint. A
 * stage that fails by its own word (exit codes 1 to 3) is not tried again.
 */
export function stageJob(
  stage: string,
  options: PipelineJobsOptions & { rerun?: string | undefined },
): KubeObject {
  const { name, namespace, queue, rerun } = options;
  checkJobName(`${name}-${stage}`, 63);
  const spec = podSpec(stage, options);
  const queued = queue === undefined ? {} : { "kueue.x-k8s.io/queue-name": queue };
  // A rerun is the same work once more: whoever calls without --rerun joins it.
  const plain = podSpec(stage, { ...options, rerun: undefined });
  const fingerprint = fingerprintOf({ spec: plain, queue, fileText: options.fileText });
  return {
    apiVersion: "batch/v1",
    kind: "Job",
    metadata: {
      name: `${name}-${stage}`,
      namespace,
      labels: { ...labelsOf(name), ...queued },
      annotations: {
        [FINGERPRINT]: fingerprint,
        ...(rerun === undefined ? {} : { [RERUN]: rerun }),
      },
    },
    spec: {
      backoffLimit: 6,
      ...(queue === undefined ? {} : { suspend: true }),
      podFailurePolicy: {
        rules: [
          { action: "Ignore", onPodConditions: [{ type: "DisruptionTarget", status: "True" }] },
          {
            action: "FailJob",
            onExitCodes: { containerName: "stage", operator: "In", values: [1, 2, 3] },
          },
        ],
      },
      template: { metadata: { labels: { ...labelsOf(name), ...mayCall(options) } }, spec },
    },
  };
}

function podSpec(
  stage: string,
  options: PipelineJobsOptions & { rerun?: string | undefined },
): KubeObject {
  const { name, image, runDir, settings, rerun, envSecret, serviceAccount, pushModels } = options;
  const mounts = mountsOf(options);
  const set = settings.length > 0 ? ["--set", ...settings] : [];
  const push = pushModels === undefined ? [] : ["--push-models", pushModels];
  const again = rerun === undefined ? [] : ["--rerun", stage, "--rerun-id", rerun];
  return {
    restartPolicy: "Never",
    // One name for all pods of the run: a lock that a lost one left is known as outlived.
    hostname: name,
    ...(serviceAccount === undefined ? {} : { serviceAccountName: serviceAccount }),
    automountServiceAccountToken: false,
    enableServiceLinks: false,
    terminationGracePeriodSeconds: GRACE_S,
    securityContext: {
      ...{ runAsNonRoot: true, runAsUser: 10001, runAsGroup: 10001, fsGroup: 10001 },
      fsGroupChangePolicy: "OnRootMismatch",
      seccompProfile: { type: "RuntimeDefault" },
    },
    containers: [
      {
        name: "stage",
        image,
        imagePullPolicy: "IfNotPresent",
        args: [
          ...["pipeline", "run", `${MOUNT}/pipeline.yaml`, "--run", runDir, "--until", stage],
          ...[...set, ...again, ...push],
        ],
        ...(envSecret === undefined ? {} : { envFrom: [{ secretRef: { name: envSecret } }] }),
        env: [{ name: "STAGECRAFT_MODELS_CACHE", value: "/tmp/models" }, ...tlsVariables(options)],
        resources: resourcesOf(options),
        securityContext: {
          allowPrivilegeEscalation: false,
          readOnlyRootFilesystem: true,
          capabilities: { drop: ["ALL"] },
        },
        volumeMounts: mounts.map(({ name, path, readOnly }) => ({
          ...{ name, mountPath: path },
          ...(readOnly ? { readOnly } : {}),
        })),
      },
    ],
    volumes: mounts.map(({ name, source }) => ({ name, ...source })),
  };
}

interface Mount {
  name: string;
  path: string;
  readOnly?: boolean;
  source: KubeObject;
}

function mountsOf({ name, volumes, secrets = [], tlsSecret }: PipelineJobsOptions): Mount[] {
  const tls = tlsSecret === undefined ? [] : [{ secret: tlsSecret, path: TLS_FOLDER }];
  return [
    { name: "pipeline", path: MOUNT, readOnly: true, source: { configMap: { name } } },
    { name: "tmp", path: "/tmp", source: { emptyDir: {} } },
    ...volumes.map(({ claim, path, readOnly }, i) => ({
      ...{ name: `volume-${i}`, path, readOnly },
      source: { persistentVolumeClaim: { claimName: claim } },
    })),
    ...[...secrets, ...tls].map(({ secret, path }, i) => ({
      ...{ name: `secret-${i}`, path, readOnly: true },
      source: { secret: { secretName: secret } },
    })),
  ];
}

/** Where the command line finds what it shows the broker, and whom it believes there. */
function tlsVariables({ tlsSecret }: PipelineJobsOptions): { name: string; value: string }[] {
  if (tlsSecret === undefined) return [];
  const files = { CA: "ca.crt", CERT: "tls.crt", KEY: "tls.key" };
  return Object.entries(files).map(([what, file]) => ({
    name: `STAGECRAFT_NATS_TLS_${what}`,
    value: `${TLS_FOLDER}/${file}`,
  }));
}

function resourcesOf({ cpu, memory, gpus }: PipelineJobsOptions): KubeObject {
  const gpu = gpus === 0 ? {} : { "nvidia.com/gpu": String(gpus) };
  return { requests: { cpu, memory, ...gpu }, limits: { memory, ...gpu } };
}

/** Network rules let pods out to an object store by this label (deploy/kustomize/components/egress). */
function mayCall({ envSecret }: PipelineJobsOptions): Record<string, string> {
  return envSecret === undefined ? {} : { "stagecraft.dev/object-store": "true" };
}

function labelsOf(name: string): Record<string, string> {
  return { "app.kubernetes.io/name": "pipeline", [PIPELINE]: name };
}

/** What a Job was made from: the same again is joined, another replaces it. */
function fingerprintOf(made: object): string {
  return createHash("sha256").update(JSON.stringify(made)).digest("hex").slice(0, 16);
}

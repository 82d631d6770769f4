import { readFileSync } from "node:fs";

const { version } = JSON.parse(
  readFileSync(new URL("../../../package.json", import.meta.url), "utf8"),
) as { version: string };

/** The image with the command line, which has Node and our clients. */
export const IMAGE = `stagecraft/cli:${version}`;

export interface ScriptPod {
  /** An ES module's text. */
  script: string;
  labels?: Readonly<Record<string, string>>;
  nodeSelector?: Readonly<Record<string, string>>;
  /** Mounts the access tokens at /etc/access. */
  hasAccess?: boolean;
}

/** What `kubectl run --overrides` takes: a pod of that script, restricted as everything in the namespace has to be. */
export function scriptPod(name: string, pod: ScriptPod): object {
  const { script, labels = {}, nodeSelector = {}, hasAccess = false } = pod;
  const access = { name: "access", secret: { secretName: "stagecraft-access" } };
  const container = {
    name,
    image: IMAGE,
    imagePullPolicy: "IfNotPresent",
    stdin: true,
    stdinOnce: true,
    command: ["node", "--input-type=module", "--eval", script],
    resources: { requests: { cpu: "50m", memory: "128Mi" }, limits: { cpu: "1", memory: "512Mi" } },
    securityContext: {
      allowPrivilegeEscalation: false,
      readOnlyRootFilesystem: true,
      capabilities: { drop: ["ALL"] },
    },
    volumeMounts: hasAccess ? [{ name: "access", mountPath: "/etc/access", readOnly: true }] : [],
  };
  const securityContext = {
    runAsNonRoot: true,
    runAsUser: 10001,
    fsGroup: 10001,
    seccompProfile: { type: "RuntimeDefault" },
  };
  return {
    metadata: { labels },
    spec: {
      restartPolicy: "Never",
      nodeSelector,
      automountServiceAccountToken: false,
      securityContext,
      containers: [container],
      volumes: hasAccess ? [access] : [],
    },
  };
}

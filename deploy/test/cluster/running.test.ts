// What only a cluster with nodes, our images and models can say: run with KUBECONFIG of one that
// deploy/scripts/trial.sh has made (or any with the overlay of your own applied), and STAGECRAFT_RUNNING=yes.
// It restarts servers and drains a node there.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { kubectl, SERVER_MISSING } from "./server.js";

const NAMESPACE = process.env["STAGECRAFT_NAMESPACE"] ?? "stagecraft";
const missing =
  SERVER_MISSING ??
  (process.env["STAGECRAFT_RUNNING"] === "yes"
    ? undefined
    : "STAGECRAFT_RUNNING=yes says that this server's cluster may be disturbed");
const skipped = missing ? ` (skipped: ${missing})` : "";
const MINUTES = 60_000;

const { version } = JSON.parse(
  readFileSync(new URL("../../../package.json", import.meta.url), "utf8"),
) as { version: string };
const ours = (...args: string[]) => kubectl(["--namespace", NAMESPACE, ...args]);

describe.skipIf(missing !== undefined)(`a running cluster${skipped}`, () => {
  it(
    "loses no call while the reward model and the policy are rolled out anew",
    async () => {
      await using load = await startLoad();
      for (const name of ["deployment/reward-model", "deployment/policy"]) {
        ours("rollout", "restart", name);
        ours("rollout", "status", name, "--timeout=600s");
      }
      const { scores, answers, failed } = await load.end();
      expect(failed).toEqual([]);
      expect(scores).toBeGreaterThan(10);
      expect(answers).toBeGreaterThan(10);
    },
    30 * MINUTES,
  );

  it(
    "makes and ends pods as it is scaled, without a failed call",
    async () => {
      const before = ours("get", "deployment/reward-model", "--output=jsonpath={.spec.replicas}");
      await using load = await startLoad();
      for (const replicas of ["2", before]) {
        ours("scale", "deployment/reward-model", `--replicas=${replicas}`);
        ours("rollout", "status", "deployment/reward-model", "--timeout=600s");
      }
      const { scores, failed } = await load.end();
      expect(failed).toEqual([]);
      expect(scores).toBeGreaterThan(10);
    },
    30 * MINUTES,
  );

  const nodes = missing ? [] : kubectl(["get", "nodes", "--output=name"]).trim().split("\n");
  it.skipIf(nodes.length < 2)(
    `lets a node be drained, budgets kept${nodes.length < 2 ? " (skipped: there is one node)" : ""}`,
    () => {
      const pod = "--output=jsonpath={.items[0].spec.nodeName}";
      const node = ours("get", "pods", "--selector=app.kubernetes.io/name=rollout", pod);
      try {
        const how = ["--ignore-daemonsets", "--delete-emptydir-data", "--timeout=600s"];
        kubectl(["drain", node, ...how]);
        ours("rollout", "status", "deployment/rollout", "--timeout=600s");
      } finally {
        kubectl(["uncordon", node]);
      }
    },
    30 * MINUTES,
  );
});

const LOAD = readFileSync(new URL("load.mjs", import.meta.url), "utf8");

interface Seen {
  scores: number;
  answers: number;
  failed: string[];
}

async function startLoad() {
  const name = "stagecraft-test-load";
  const child = spawn(
    "kubectl",
    [
      ...["--namespace", NAMESPACE, "run", name, "--rm", "--stdin", "--quiet", "--restart=Never"],
      ...[`--image=stagecraft/cli:${version}`, `--overrides=${JSON.stringify(loadPod(name))}`],
    ],
    { stdio: ["pipe", "pipe", "inherit"] },
  );
  let text = "";
  child.stdout.on("data", (data: Buffer) => (text += data.toString()));
  while (!text.includes("begun")) {
    await Promise.race([once(child.stdout, "data"), once(child, "close")]);
    if (child.exitCode !== null) throw new Error(`the load did not start: ${text}`);
  }
  return {
    async end(): Promise<Seen> {
      child.stdin.end("end\n");
      if (child.exitCode === null) await once(child, "close");
      return JSON.parse(text.trim().split("\n").at(-1) ?? "") as Seen;
    },
    async [Symbol.asyncDispose]() {
      if (child.exitCode !== null) return;
      child.kill();
      await once(child, "close");
      ours("delete", "pod", name, "--ignore-not-found", "--wait=false");
    },
  };
}

/** Restricted, as everything in the namespace has to be. */
function loadPod(name: string) {
  const container = {
    name,
    image: `stagecraft/cli:${version}`,
    imagePullPolicy: "IfNotPresent",
    stdin: true,
    stdinOnce: true,
    command: ["node", "--input-type=module", "--eval", LOAD],
    resources: { requests: { cpu: "50m", memory: "128Mi" }, limits: { cpu: "1", memory: "512Mi" } },
    securityContext: {
      allowPrivilegeEscalation: false,
      readOnlyRootFilesystem: true,
      capabilities: { drop: ["ALL"] },
    },
    volumeMounts: [{ name: "access", mountPath: "/etc/access", readOnly: true }],
  };
  const securityContext = {
    runAsNonRoot: true,
    runAsUser: 10001,
    fsGroup: 10001,
    seccompProfile: { type: "RuntimeDefault" },
  };
  return {
    metadata: { labels: { "stagecraft.dev/client": "true" } },
    spec: {
      restartPolicy: "Never",
      automountServiceAccountToken: false,
      securityContext,
      containers: [container],
      volumes: [{ name: "access", secret: { secretName: "stagecraft-access" } }],
    },
  };
}

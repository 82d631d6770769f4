// What only a cluster with nodes, our images and models can say: run with KUBECONFIG of one that
// deploy/scripts/trial.sh has made (or any with the overlay of your own applied), and STAGECRAFT_RUNNING=yes.
// It restarts servers and drains a node there.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { IMAGE, scriptPod } from "./pod.js";
import { kubectl, SERVER_MISSING } from "./server.js";

const NAMESPACE = process.env["STAGECRAFT_NAMESPACE"] ?? "stagecraft";
const missing =
  SERVER_MISSING ??
  (process.env["STAGECRAFT_RUNNING"] === "yes"
    ? undefined
    : "STAGECRAFT_RUNNING=yes says that this server's cluster may be disturbed");
const skipped = missing ? ` (skipped: ${missing})` : "";
const MINUTES = 60_000;

const ours = (...args: string[]) => kubectl(["--namespace", NAMESPACE, ...args]);

const field = (object: string, path: string, kind?: string) =>
  ours("get", ...(kind === undefined ? [] : [kind]), object, `--output=jsonpath={${path}}`);
const nodesOf = () =>
  kubectl(["get", "nodes", "--output=jsonpath={.items[*].metadata.name}"]).trim().split(" ");

/** Why no node is drained here, if so. */
function undrainable(): string | undefined {
  if (nodesOf().length < 2) return "there is one node";
  const together = ".spec.template.spec.affinity.podAffinity";
  return field("deployment/policy", together) === ""
    ? undefined
    : "these pods keep together on one node: they leave it together";
}

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

  const alone = missing ?? undrainable();
  it.skipIf(alone !== undefined)(
    `loses no call while each node in turn is drained${alone === undefined ? "" : ` (skipped: ${alone})`}`,
    async () => {
      const names = ["deployment/policy", "deployment/reward-model"];
      const before = names.map((name) => [name, field(name, ".spec.replicas")] as const);
      const ready = () =>
        names.forEach((name) => ours("rollout", "status", name, "--timeout=600s"));
      try {
        for (const name of names) ours("scale", name, "--replicas=2");
        ready();
        for (const node of nodesOf()) {
          const elsewhere = nodesOf().find((one) => one !== node)!;
          await using load = await startLoad({ "kubernetes.io/hostname": elsewhere });
          try {
            const how = ["--ignore-daemonsets", "--delete-emptydir-data", "--timeout=600s"];
            kubectl(["drain", node, ...how, `--pod-selector=${OURS}`]);
            expect(field(`--selector=${OURS}`, ".items[*].spec.nodeName", "pods")).not.toContain(
              node,
            );
            ready();
          } finally {
            kubectl(["uncordon", node]);
          }
          const { scores, answers, failed } = await load.end();
          expect(failed, node).toEqual([]);
          expect(scores, node).toBeGreaterThan(10);
          expect(answers, node).toBeGreaterThan(10);
        }
      } finally {
        for (const [name, replicas] of before) ours("scale", name, `--replicas=${replicas}`);
      }
    },
    30 * MINUTES,
  );
});

/** Pods that the overlays make, in difference to the load. */
const OURS = "app.kubernetes.io/part-of=stagecraft";

const LOAD = readFileSync(new URL("load.mjs", import.meta.url), "utf8");

interface Seen {
  scores: number;
  answers: number;
  failed: string[];
}

async function startLoad(nodeSelector: Record<string, string> = {}) {
  const name = "stagecraft-test-load";
  const labels = { "stagecraft.dev/client": "true" };
  const pod = { script: LOAD, labels, nodeSelector, hasAccess: true };
  const child = spawn(
    "kubectl",
    [
      ...["--namespace", NAMESPACE, "run", name, "--rm", "--stdin", "--quiet", "--restart=Never"],
      ...[`--image=${IMAGE}`, `--overrides=${JSON.stringify(scriptPod(name, pod))}`],
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

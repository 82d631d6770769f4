// What scheduler, controllers and budgets do with our pods, on nodes that are pretended: run with KUBECONFIG of a
// control plane that has none. Everything else happens in namespaces of their own.
import { describe, expect, it } from "vitest";
import { RENDERER_MISSING } from "../render.js";
import { nodesThere, pretendNodes } from "./pretended.js";
import { apply, kubectl, SERVER_MISSING, testNamespace } from "./server.js";

const MINUTES = 60_000;
const missing = RENDERER_MISSING ?? SERVER_MISSING ?? nodesThere();
const skipped = missing ? ` (skipped: ${missing})` : "";
const SERVERS = ["policy", "reward-model", "rollout", "trainer", "gateway"];
const ready = (...names: string[]) => ["rollout", "status", ...names, "--timeout=600s"];

describe.skipIf(missing !== undefined)(`pods on pretended nodes${skipped}`, () => {
  it(
    "of production stay within their budgets while two of four nodes are drained, one after another",
    async () => {
      using space = testNamespace({ pods: true });
      using nodes = pretendNodes(space.name, 4);
      const inSpace = ["--namespace", space.name];
      apply(space.render("production", ["model-loader"]));
      const deployments = [...SERVERS, "model-loader"].map((name) => `deployment/${name}`);
      for (const name of [...deployments, "statefulset/nats"]) {
        await nodes.during([...inSpace, ...ready(name)]);
      }
      const short: string[] = [];
      const how = ["--ignore-daemonsets", "--delete-emptydir-data", "--timeout=600s"];
      for (const node of nodes.names.slice(0, 2)) {
        await nodes.during(["drain", node, ...how], () => short.push(...belowBudget(space.name)));
        expect(podsOn(space.name, node)).toEqual([]);
        for (const name of deployments) await nodes.during([...inSpace, ...ready(name)]);
        kubectl(["uncordon", node]);
      }
      expect(short).toEqual([]);
    },
    30 * MINUTES,
  );

  it(
    "of a node that falls silent are made anew on others",
    async () => {
      using space = testNamespace({ pods: true });
      using nodes = pretendNodes(space.name, 4);
      const inSpace = ["--namespace", space.name];
      apply(space.render("production"));
      await nodes.during([...inSpace, ...ready("deployment/trainer")]);
      const lost = nodes.names.find((node) => podsOn(space.name, node).some(isTrainer))!;
      nodes.silence(lost);
      const unavailable = "--for=condition=Available=False";
      await nodes.during([...inSpace, "wait", "deployment/trainer", unavailable, "--timeout=600s"]);
      await nodes.during([...inSpace, ...ready("deployment/trainer")]);
      const others = nodes.names.filter((node) => node !== lost);
      expect(others.flatMap((node) => podsOn(space.name, node)).filter(isTrainer)).toHaveLength(1);
    },
    30 * MINUTES,
  );

  it(
    "find a GPU for the trainer, that of a policy where there is no other",
    async () => {
      using space = testNamespace({ pods: true });
      using nodes = pretendNodes(space.name, 1, { gpus: 1 });
      const inSpace = ["--namespace", space.name];
      const manifests = space.render("gpu-2");
      apply(manifests.filter(({ metadata }) => metadata.name !== "trainer"));
      await nodes.during([...inSpace, ...ready("deployment/policy")]);
      apply(manifests);
      await nodes.during([...inSpace, ...ready("deployment/trainer")]);
      const policies = "--output=jsonpath={.status.readyReplicas}";
      expect(kubectl([...inSpace, "get", "deployment/policy", policies])).toBe("");
    },
    30 * MINUTES,
  );
});

const isTrainer = (pod: string) => pod.startsWith("trainer-");

const podsOn = (namespace: string, node: string) =>
  kubectl([
    ...["--namespace", namespace, "get", "pods", `--field-selector=spec.nodeName=${node}`],
    "--output=jsonpath={.items[*].metadata.name}",
  ])
    .split(" ")
    .filter((name) => name !== "");

/** Budgets of which more are away than may be. */
function belowBudget(namespace: string): string[] {
  const list = kubectl(["--namespace", namespace, "get", "pdb", "--output=json"]);
  const { items } = JSON.parse(list) as { items: Budget[] };
  expect(items.length).toBeGreaterThanOrEqual(4);
  return items
    .filter(({ status }) => status.currentHealthy < status.desiredHealthy)
    .map(({ metadata }) => metadata.name);
}

interface Budget {
  metadata: { name: string };
  status: { currentHealthy: number; desiredHealthy: number };
}

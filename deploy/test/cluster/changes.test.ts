// What an API server does to what is there: applied again, another overlay, deletion, upgrades. Run with KUBECONFIG of
// one (a control plane without nodes will do). Everything happens in namespaces of their own; PriorityClasses
// are the cluster's and stay.
import { describe, expect, it } from "vitest";
import { OVERLAYS, RENDERER_MISSING } from "../render.js";
import type { Manifest } from "../schemas.js";
import { apply, applyAsPeopleDo, kubectl, SERVER_MISSING, testNamespace } from "./server.js";
import { expectSameWorkloads, type Workloads } from "./workloads.js";

const MINUTES = 60_000;
const missing = RENDERER_MISSING ?? SERVER_MISSING;
const skipped = missing ? ` (skipped: ${missing})` : "";
const nameOf = (path: string) => path.split("/")[1]!;
const WAYS = [
  ["kubectl apply", applyAsPeopleDo],
  ["server-side apply", apply],
] as const;

describe.skipIf(missing !== undefined).each(WAYS)(`%s${skipped}`, (_way, put) => {
  it(
    "keeps the replicas that were set when an overlay that leaves them to others is applied again",
    () => {
      using space = testNamespace();
      const manifests = space.render("cpu", ["autoscale", "autoscale-servers"]);
      put(manifests);
      for (const name of ["rollout", "policy", "reward-model"]) {
        kubectl(["--namespace", space.name, "scale", `deployment/${name}`, "--replicas=7"]);
      }
      put(manifests);
      for (const name of ["rollout", "policy", "reward-model"]) {
        expect(field(space.name, `deployment/${name}`, ".spec.replicas"), name).toBe("7");
      }
    },
    5 * MINUTES,
  );

  it.each(OVERLAYS.map(nameOf))(
    "takes cpu after %s, and every pod is that of cpu alone",
    (overlay) => {
      using fresh = testNamespace();
      put(fresh.render("cpu"));
      using changed = testNamespace();
      put(changed.render(overlay));
      put(changed.render("cpu"));
      const own = workloadsIn(fresh.name);
      expectSameWorkloads(workloadsIn(changed.name), own);
      put(changed.render(overlay));
      expect(Object.keys(own).length).toBeGreaterThan(5);
    },
    5 * MINUTES,
  );

  it(
    "deletes what runs, and leaves namespace, models, runs and queues",
    () => {
      using space = testNamespace();
      const manifests = space.render("cpu");
      put(manifests);
      remove(space.name, manifests);
      const left = kubectl(["--namespace", space.name, "get", "all,pvc", "--output", "name"]);
      expect(left).toContain("persistentvolumeclaim/data-trainer-0");
      expect(left).not.toMatch(/deployment|statefulset|service\//);
      const phase = kubectl(["get", "namespace", space.name, "--output=jsonpath={.status.phase}"]);
      expect(phase).toBe("Active");
      put(manifests);
    },
    5 * MINUTES,
  );
});

/** PriorityClasses are everybody's: another Stagecraft of this cluster may use them. */
function remove(namespace: string, manifests: readonly Manifest[]) {
  for (const { kind, apiVersion, metadata } of manifests) {
    if (kind === "PriorityClass") continue;
    const [group = "", version] = apiVersion.split("/");
    const type = version === undefined ? kind : `${kind}.${version}.${group}`;
    kubectl(["--namespace", namespace, "delete", type, metadata.name, "--wait=false"]);
  }
}

const field = (namespace: string, object: string, path: string) =>
  kubectl(["--namespace", namespace, "get", object, `--output=jsonpath={${path}}`]);

/** What makes pods, as the server has it. */
function workloadsIn(namespace: string): Workloads {
  const kinds = "deployments,statefulsets";
  const list = kubectl(["--namespace", namespace, "get", kinds, "--output=json"]);
  const { items } = JSON.parse(list) as { items: (Manifest & { spec: unknown })[] };
  return Object.fromEntries(
    items.map(({ kind, metadata, spec }) => [`${kind}/${metadata.name}`, spec]),
  );
}

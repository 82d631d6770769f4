// What only an API server can say: run with KUBECONFIG of one (a control plane without nodes will do).
// Everything happens in namespaces of their own; PriorityClasses are the cluster's and stay.
import { describe, expect, it } from "vitest";
import { OVERLAYS, RENDERER_MISSING } from "../render.js";
import type { Manifest } from "../schemas.js";
import { workloadsOf, type PodSpec } from "../workloads.js";
import { apply, kubectl, SERVER_MISSING, testNamespace } from "./server.js";

const MINUTES = 60_000;
const missing = RENDERER_MISSING ?? SERVER_MISSING;
const skipped = missing ? ` (skipped: ${missing})` : "";

describe.skipIf(missing !== undefined)(`an API server${skipped}`, () => {
  it.each(OVERLAYS)(
    "takes %s, strictly",
    (path) => {
      using space = testNamespace();
      const manifests = space.render(path.split("/")[1]!);
      expect(manifests.length).toBeGreaterThan(20);
      const answer = apply(manifests, "--dry-run=server").trim().split("\n");
      expect(answer).toHaveLength(manifests.length);
    },
    5 * MINUTES,
  );

  it(
    "admits every pod as restricted, and not one that wants more",
    () => {
      using space = testNamespace();
      const manifests = space.render("production", ["model-loader", "postgres"]);
      const pods = workloadsOf(manifests).map(({ name, pod, labels, claimTemplates }) => ({
        apiVersion: "v1",
        kind: "Pod",
        metadata: { name: `admission-${name}`, namespace: space.name, labels },
        spec: podAlone(pod, claimTemplates),
      }));
      apply(manifests.filter(({ kind }) => /ServiceAccount|PriorityClass/.test(kind)));
      expect(apply(pods, "--dry-run=server").trim().split("\n")).toHaveLength(pods.length);
      const [first] = pods;
      const rooted = { ...first!, spec: { ...first!.spec, hostNetwork: true } };
      expect(() => apply([rooted], "--dry-run=server")).toThrow(/violates PodSecurity "restricted/);
    },
    5 * MINUTES,
  );

  it(
    "keeps the replicas that were set when an overlay that leaves them to others is applied again",
    () => {
      using space = testNamespace();
      const components = ["autoscale", "autoscale-servers"];
      const manifests = space.render("cpu", components);
      apply(manifests);
      for (const name of ["rollout", "policy", "reward-model"]) {
        kubectl(["--namespace", space.name, "scale", `deployment/${name}`, "--replicas=7"]);
      }
      apply(manifests);
      for (const name of ["rollout", "policy", "reward-model"]) {
        expect(field(space.name, `deployment/${name}`, ".spec.replicas"), name).toBe("7");
      }
    },
    5 * MINUTES,
  );

  it(
    "takes one overlay after another: nothing that cannot be changed differs",
    () => {
      using space = testNamespace();
      for (const overlay of ["cpu", "gpu", "production", "gpu-1", "trial"]) {
        expect(() => apply(space.render(overlay)), overlay).not.toThrow();
      }
    },
    10 * MINUTES,
  );

  it(
    "deletes what runs, and leaves namespace, models, runs and queues",
    () => {
      using space = testNamespace();
      const manifests = space.render("cpu");
      apply(manifests);
      const own = manifests.filter(({ kind }) => kind !== "PriorityClass");
      for (const { kind, apiVersion, metadata } of own) {
        const [group = "", version] = apiVersion.split("/");
        const type = version === undefined ? kind : `${kind}.${version}.${group}`;
        kubectl(["--namespace", space.name, "delete", type, metadata.name, "--wait=false"]);
      }
      const claims = kubectl(["--namespace", space.name, "get", "pvc", "--output", "name"]);
      expect(claims).toContain("persistentvolumeclaim/models");
      expect(claims).toContain("persistentvolumeclaim/data-trainer-0");
      const phase = kubectl(["get", "namespace", space.name, "--output=jsonpath={.status.phase}"]);
      expect(phase).toBe("Active");
    },
    5 * MINUTES,
  );
});

const field = (namespace: string, object: string, path: string) =>
  kubectl(["--namespace", namespace, "get", object, `--output=jsonpath={${path}}`]);

/** A pod as its workload would make it, with room in the place of the volumes that it would claim. */
const podAlone = (pod: PodSpec, claims: readonly Manifest[]) => ({
  ...pod,
  restartPolicy: "Never",
  volumes: [
    ...(pod.volumes ?? []),
    ...claims.map(({ metadata }) => ({ name: metadata.name, emptyDir: {} })),
  ],
});

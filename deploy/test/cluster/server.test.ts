// What only an API server can say: run with KUBECONFIG of one (a control plane without nodes will do).
// Everything happens in namespaces of their own; PriorityClasses are the cluster's and stay.
import { describe, expect, it } from "vitest";
import { addable, EVERYTHING, OVERLAYS, render, RENDERER_MISSING } from "../render.js";
import type { Manifest } from "../schemas.js";
import { workloadsOf, type PodSpec } from "../workloads.js";
import { apply, SERVER_MISSING, testNamespace, unknownOf } from "./server.js";

const MINUTES = 60_000;
const missing = RENDERER_MISSING ?? SERVER_MISSING;
const skipped = missing ? ` (skipped: ${missing})` : "";

describe.skipIf(missing !== undefined)(`an API server${skipped}`, () => {
  const unknown = missing ? [] : [...unknownOf(render(EVERYTHING))];
  it.skipIf(unknown.length > 0)(
    `has every kind${unknown.length > 0 ? ` (skipped, and so are their objects below: no ${unknown.join(", ")})` : ""}`,
    () => expect(unknown).toEqual([]),
  );

  it.each(OVERLAYS)(
    "takes %s strictly, alone and with every component that goes with it",
    (path) => {
      using space = testNamespace();
      for (const components of [[], addable(path)]) {
        const manifests = space.render(path.split("/")[1]!, components);
        expect(manifests.length).toBeGreaterThan(20);
        const tried = apply(manifests, "--dry-run=server").trim().split("\n");
        expect(tried).toHaveLength(manifests.length);
        expect(apply(manifests).trim().split("\n")).toHaveLength(manifests.length);
      }
    },
    5 * MINUTES,
  );

  it.each(OVERLAYS)(
    "admits every pod of %s as restricted, and not one that wants more",
    (path) => {
      using space = testNamespace({ pods: true });
      const manifests = space.render(path.split("/")[1]!, addable(path));
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
});

/** A pod as its workload would make it, with room in the place of the volumes that it would claim. */
const podAlone = (pod: PodSpec, claims: readonly Manifest[]) => ({
  ...pod,
  restartPolicy: "Never",
  volumes: [
    ...(pod.volumes ?? []),
    ...claims.map(({ metadata }) => ({ name: metadata.name, emptyDir: {} })),
  ],
});

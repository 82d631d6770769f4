import { describe, expect, it } from "vitest";
import { DATA, EVERYTHING, OVERLAYS, render, RENDERER_MISSING } from "./render.js";
import { schemaProblems, type Manifest } from "./schemas.js";

type Tree = Record<string, any>; // eslint-disable-line @typescript-eslint/no-explicit-any

/** A right deployment, small; each case below spoils one thing. */
function deployment(): Tree {
  const labels = { app: "x" };
  const container = {
    name: "x",
    image: "x",
    ports: [{ name: "grpc", containerPort: 1 }],
    readinessProbe: { grpc: { port: 1 }, periodSeconds: 5 },
    resources: { limits: { cpu: "1", memory: "1Gi" } },
    securityContext: { readOnlyRootFilesystem: true, capabilities: { drop: ["ALL"] } },
  };
  return {
    apiVersion: "apps/v1",
    kind: "Deployment",
    metadata: { name: "x", labels },
    spec: {
      replicas: 1,
      selector: { matchLabels: labels },
      template: { metadata: { labels }, spec: { containers: [container] } },
    },
  };
}

const containerOf = (tree: Tree) => tree.spec.template.spec.containers[0] as Tree;

const SPOILED: [string, (tree: Tree) => void, RegExp][] = [
  ["text for a number", (tree) => (tree.spec.replicas = "two"), /replicas must be integer/],
  [
    "a number for text",
    (tree) => (containerOf(tree).image = 5),
    /containers\/0\/image must be string/,
  ],
  [
    "text for a boolean",
    (tree) => (containerOf(tree).securityContext.readOnlyRootFilesystem = "yes"),
    /readOnlyRootFilesystem must be boolean/,
  ],
  [
    "an object for a list",
    (tree) => (tree.spec.template.spec.containers = {}),
    /containers must be array/,
  ],
  ["a fraction", (tree) => (tree.spec.replicas = 1.5), /replicas must be integer/],
  [
    "a port beyond 32 bits",
    (tree) => (containerOf(tree).ports[0].containerPort = 2 ** 40),
    /int32/,
  ],
  [
    "no quantity",
    (tree) => (containerOf(tree).resources.limits.memory = "1 GB"),
    /memory .*format/,
  ],
  ["null", (tree) => (tree.spec.replicas = null), /replicas must be integer/],
  ["a number among labels", (tree) => (tree.metadata.labels.app = 1), /labels\/app must be string/],
  ["an unknown field of the spec", (tree) => (tree.spec.replica = 1), /"replica"/],
  ["an unknown field at the top", (tree) => (tree.specs = {}), /"specs"/],
  ["an unknown field of the metadata", (tree) => (tree.metadata.nameSpace = "x"), /"nameSpace"/],
  [
    "a field in wrong case, deep inside",
    (tree) => (containerOf(tree).securityContext.readOnlyRootFileSystem = true),
    /"readOnlyRootFileSystem"/,
  ],
  [
    "a field one level too high",
    (tree) => (tree.spec.template.spec.readinessProbe = {}),
    /"readinessProbe"/,
  ],
  [
    "an unknown field of a probe",
    (tree) => (containerOf(tree).readinessProbe.grpc.host = "x"),
    /"host"/,
  ],
  ["a required field missing", (tree) => delete tree.spec.selector, /required.*selector/],
  ["a kind nobody knows", (tree) => (tree.kind = "Deploymnet"), /no schema for this kind/],
];

describe("schemaProblems()", () => {
  it("has nothing against a right object", () => {
    expect(schemaProblems(deployment() as Manifest)).toEqual([]);
  });

  it.each(SPOILED)("tells of %s", (_what, spoil, expected) => {
    const tree = deployment();
    spoil(tree);
    expect(schemaProblems(tree as Manifest).join("\n")).toMatch(expected);
  });

  it("tells of unknown fields and wrong types in a KEDA object too", () => {
    const scaled = (spec: Tree) =>
      schemaProblems({
        apiVersion: "keda.sh/v1alpha1",
        kind: "ScaledObject",
        metadata: { name: "x" },
        spec: { scaleTargetRef: { name: "x" }, triggers: [{ type: "cpu", metadata: {} }], ...spec },
      });
    expect(scaled({})).toEqual([]);
    expect(scaled({ maxReplicas: 3 }).join()).toContain('"maxReplicas"');
    expect(scaled({ maxReplicaCount: "3" }).join()).toContain("must be integer");
  });
});

const skipped = RENDERER_MISSING ? ` (skipped: ${RENDERER_MISSING})` : "";
describe.skipIf(RENDERER_MISSING !== undefined)(`rendered by kubectl kustomize${skipped}`, () => {
  it.each([...OVERLAYS, ...DATA, EVERYTHING])("%s is right by the Kubernetes schemas", (path) => {
    const manifests = render(path);
    expect(manifests.length).toBeGreaterThan(path.startsWith("data/") ? 2 : 20);
    expect(manifests.flatMap(schemaProblems)).toEqual([]);
  });
});

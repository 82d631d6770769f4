import { describe, expect, it } from "vitest";
import {
  addable,
  COMPONENTS,
  DATA,
  EVERYTHING,
  overlayOf,
  OVERLAYS,
  render,
  RENDERER_MISSING,
  TOGETHER,
} from "./render.js";
import { RELEASES, schemaProblems, type Manifest } from "./schemas.js";

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

const metadata = { name: "x" };

/** Kinds of others than Kubernetes: a right one, and specs that are wrong. */
const OTHERS: [string, { spec: Tree } & Tree, ...[Tree, RegExp][]][] = [
  [
    "ScaledObject",
    {
      ...{ apiVersion: "keda.sh/v1alpha1", kind: "ScaledObject", metadata },
      spec: { scaleTargetRef: { name: "x" }, triggers: [{ type: "cpu", metadata: {} }] },
    },
    [{ maxReplicas: 3 }, /spec\/maxReplicas /],
    [{ maxReplicaCount: "3" }, /maxReplicaCount must be integer/],
  ],
  [
    "Certificate",
    {
      ...{ apiVersion: "cert-manager.io/v1", kind: "Certificate", metadata },
      spec: { secretName: "x", issuerRef: { name: "x" }, dnsNames: ["x"] },
    },
    [{ dnsName: ["x"] }, /spec\/dnsName /],
    [{ usages: ["any"], privateKey: { rotationPolicy: "Sometimes" } }, /rotationPolicy/],
  ],
  [
    "GRPCRoute",
    {
      ...{ apiVersion: "gateway.networking.k8s.io/v1", kind: "GRPCRoute", metadata },
      spec: { parentRefs: [{ name: "x" }], rules: [{ backendRefs: [{ name: "x", port: 1 }] }] },
    },
    [{ rule: [] }, /spec\/rule /],
    [{ hostnames: ["not a name"] }, /hostnames\/0 must match pattern/],
  ],
  [
    "PodMonitor",
    {
      ...{ apiVersion: "monitoring.coreos.com/v1", kind: "PodMonitor", metadata },
      spec: { selector: {}, podMetricsEndpoints: [{ port: "metrics" }] },
    },
    [{ endpoints: [] }, /spec\/endpoints /],
    [{ podMetricsEndpoints: [{ interval: "often" }] }, /interval must match pattern/],
  ],
];

/** What is spoiled, how, and what has to be said of it: by both releases, or of a value alone. */
const SPOILED: [string, (tree: Tree) => void, RegExp, "fields" | "values"][] = [
  ["text for a number", (tree) => (tree.spec.replicas = "two"), /spec\/replicas/, "fields"],
  [
    "a number for text",
    (tree) => (containerOf(tree).image = 5),
    /spec\/containers\/0\/image/,
    "fields",
  ],
  [
    "text for a boolean",
    (tree) => (containerOf(tree).securityContext.readOnlyRootFilesystem = "yes"),
    /securityContext\/readOnlyRootFilesystem/,
    "fields",
  ],
  [
    "an object for a list",
    (tree) => (tree.spec.template.spec.containers = {}),
    /spec\/containers/,
    "fields",
  ],
  ["a fraction", (tree) => (tree.spec.replicas = 1.5), /replicas must be integer/, "values"],
  [
    "a port beyond 32 bits",
    (tree) => (containerOf(tree).ports[0].containerPort = 2 ** 40),
    /int32/,
    "values",
  ],
  [
    "no quantity",
    (tree) => (containerOf(tree).resources.limits.memory = "1 GB"),
    /memory .*"quantity"/,
    "values",
  ],
  ["null", (tree) => (tree.spec.replicas = null), /spec\/replicas .*null/, "fields"],
  ["a number among labels", (tree) => (tree.metadata.labels.app = 1), /labels\/app/, "fields"],
  ["an unknown field of the spec", (tree) => (tree.spec.replica = 1), /spec\/replica /, "fields"],
  ["an unknown field at the top", (tree) => (tree.specs = {}), /\/specs /, "fields"],
  [
    "an unknown field of the metadata",
    (tree) => (tree.metadata.nameSpace = "x"),
    /metadata\/nameSpace/,
    "fields",
  ],
  [
    "a field in wrong case, deep inside",
    (tree) => (containerOf(tree).securityContext.readOnlyRootFileSystem = true),
    /securityContext\/readOnlyRootFileSystem/,
    "fields",
  ],
  [
    "a field one level too high",
    (tree) => (tree.spec.template.spec.readinessProbe = {}),
    /template\/spec\/readinessProbe/,
    "fields",
  ],
  [
    "an unknown field of a probe",
    (tree) => (containerOf(tree).readinessProbe.grpc.host = "x"),
    /grpc\/host/,
    "fields",
  ],
  [
    "a required field missing",
    (tree) => delete tree.spec.selector,
    /'"?selector"?' is missing/,
    "fields",
  ],
  ["a kind nobody knows", (tree) => (tree.kind = "Deploymnet"), /no schema for/, "fields"],
];

describe("schemaProblems()", () => {
  it("has nothing against a right object", async () => {
    expect(await schemaProblems([deployment() as Manifest])).toEqual([]);
  });

  it.each(SPOILED)("tells of %s", async (_what, spoil, expected, by) => {
    const tree = deployment();
    spoil(tree);
    const found = await schemaProblems([tree as Manifest]);
    const fitting = found.filter((problem) => expected.test(problem));
    if (by === "values") return expect(fitting.length, found.join("\n")).toBeGreaterThan(0);
    for (const release of RELEASES) {
      const own = fitting.filter((problem) => problem.startsWith(`${release}: `));
      expect(own.length, `${release}: ${found.join("\n")}`).toBeGreaterThan(0);
    }
  });

  it("tells what 1.36 knows and 1.29 does not", async () => {
    const tree = deployment();
    tree.spec.template.spec.resources = { limits: { cpu: "1" } };
    const found = await schemaProblems([tree as Manifest]);
    expect(found).toHaveLength(1);
    expect(found[0]).toMatch(/^1\.29: .*template\/spec\/resources/);
  });

  it.each(OTHERS)(
    "tells of unknown fields and wrong values in a %s too",
    async (_kind, right, ...wrong) => {
      expect(await schemaProblems([right as unknown as Manifest])).toEqual([]);
      for (const [spec, expected] of wrong) {
        const spoiled = { ...right, spec: { ...right.spec, ...spec } };
        expect((await schemaProblems([spoiled as unknown as Manifest])).join("\n")).toMatch(
          expected,
        );
      }
    },
  );
});

const skipped = RENDERER_MISSING ? ` (skipped: ${RENDERER_MISSING})` : "";
describe.skipIf(RENDERER_MISSING !== undefined)(`rendered by kubectl kustomize${skipped}`, () => {
  it.each([...OVERLAYS, ...DATA, EVERYTHING])(
    "%s is right by the Kubernetes schemas",
    async (path) => {
      const manifests = render(path);
      expect(manifests.length).toBeGreaterThan(path.startsWith("data/") ? 1 : 20);
      expect(await schemaProblems(manifests)).toEqual([]);
    },
  );

  const alone = COMPONENTS.map((name) => [name]);
  const butOne = TOGETHER.map((name) => TOGETHER.filter((other) => other !== name));
  it.each([
    ...OVERLAYS.map((overlay) => [overlay, "each component", alone] as const),
    ["overlays/cpu", "all components but one", butOne] as const,
  ])("%s with %s is right too", async (overlay, _what, mixes) => {
    const different = new Map<string, Manifest>();
    for (const mix of mixes.filter((names) => addable(overlay, names).length === names.length)) {
      using mine = overlayOf({
        resources: [`../${overlay.split("/")[1]}`],
        components: mix.map((name) => `../../components/${name}`),
      });
      for (const one of render(mine.path)) different.set(JSON.stringify(one), one);
    }
    expect(different.size).toBeGreaterThan(30);
    expect(await schemaProblems([...different.values()])).toEqual([]);
  });
});

import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import {
  DATA,
  ELSEWHERE,
  EVERYTHING,
  overlayOf,
  OVERLAYS,
  render,
  RENDERER_MISSING,
  TOGETHER,
} from "./render.js";
import { SERVICES, settingsOf, type Service } from "./settings.js";
import { find, quantity, serversOf, workloadsOf } from "./workloads.js";
import type { Manifest } from "./schemas.js";

type Spec = Record<string, unknown>;
const specOf = (manifest: Manifest) => manifest["spec"] as Spec;
const skipped = RENDERER_MISSING ? ` (skipped: ${RENDERER_MISSING})` : "";
const suite = describe.skipIf(RENDERER_MISSING !== undefined);

suite(`deleting${skipped}`, () => {
  it.each([...OVERLAYS, EVERYTHING])("%s takes no namespace and no data along", (path) => {
    const manifests = render(path);
    const kinds = manifests.map(({ kind }) => kind);
    expect(kinds).not.toContain("Namespace");
    expect(kinds).not.toContain("PersistentVolumeClaim");
    for (const { kind, metadata, spec } of manifests as (Manifest & { spec: Spec })[]) {
      if (kind !== "StatefulSet") continue;
      const retained = { whenDeleted: "Retain", whenScaled: "Retain" };
      expect(spec["persistentVolumeClaimRetentionPolicy"], metadata.name).toEqual(retained);
    }
  });

  it.each(DATA)("%s has the namespace and the claims that pods mount", (path) => {
    const names = render(path).map(({ kind, metadata }) => `${kind}/${metadata.name}`);
    expect(names.sort()).toEqual(["Namespace/stagecraft", "PersistentVolumeClaim/data-trainer-0"]);
  });
});

suite(`applying again, or another overlay${skipped}`, () => {
  it("leaves the number of workers to the autoscaler", () => {
    expect(specOf(find(render(EVERYTHING), "Deployment", "rollout"))).not.toHaveProperty(
      "replicas",
    );
  });

  it("changes nothing that the API server refuses to change", () => {
    const [first, ...others] = [...OVERLAYS, EVERYTHING].map((path) => fixedFields(render(path)));
    for (const other of others) {
      for (const [name, fields] of Object.entries(other)) {
        if (first?.[name] !== undefined) expect(fields, name).toEqual(first[name]);
      }
    }
  });

  it.each([...OVERLAYS, EVERYTHING])("%s needs no Job, which could not be changed", (path) => {
    expect(render(path).map(({ kind }) => kind)).not.toContain("Job");
  });
});

/** What stands for good once an object is there, by kind and name. */
function fixedFields(manifests: readonly Manifest[]): Record<string, unknown> {
  const fixed: Record<string, string[]> = {
    Deployment: ["selector"],
    StatefulSet: ["selector", "serviceName", "podManagementPolicy", "volumeClaimTemplates"],
    Service: ["clusterIP"],
  };
  return Object.fromEntries(
    manifests.flatMap((manifest) => {
      const fields = fixed[manifest.kind]?.map((field) => specOf(manifest)[field]);
      return fields ? [[`${manifest.kind}/${manifest.metadata.name}`, fields]] : [];
    }),
  );
}

suite(`nodes${skipped}`, () => {
  it.each([...OVERLAYS, EVERYTHING])("%s: whoever a lost one ran is made anew soon", (path) => {
    for (const { name, kind, pod } of workloadsOf(render(path))) {
      // A StatefulSet waits for a lost node for ever, a bare pod blocks drains.
      const isStore = ["nats", "postgres"].includes(name);
      expect(kind, name).toBe(isStore ? "StatefulSet" : "Deployment");
      if (isStore || name === "model-loader") continue;
      for (const condition of ["not-ready", "unreachable"]) {
        const key = `node.kubernetes.io/${condition}`;
        const toleration = pod.tolerations?.find((one) => one.key === key);
        expect(toleration?.tolerationSeconds, name).toBe(30);
      }
    }
  });

  it("of two CPUs hold the overlay cpu beside what a cluster of one node needs itself", () => {
    const cpus = workloadsOf(render("overlays/cpu")).map(
      ({ replicas, container }) => replicas * quantity(container.resources?.requests?.["cpu"]),
    );
    expect(cpus.reduce((a, b) => a + b)).toBeLessThanOrEqual(1);
  });

  it("too small for all run the trainer before servers, and servers before workers", () => {
    const manifests = render("overlays/gpu");
    const priority = (workload: string) => {
      const { pod } = serversOf(manifests).find(({ name }) => name === workload)!;
      return find(manifests, "PriorityClass", pod.priorityClassName ?? "")["value"] as number;
    };
    expect(priority("trainer")).toBeGreaterThan(priority("policy"));
    expect(priority("trainer")).toBeGreaterThan(priority("reward-model"));
    expect(priority("policy")).toBeGreaterThan(priority("rollout"));
  });

  it("roll out the correction of a broken broker", () => {
    const nats = specOf(find(render("overlays/cpu"), "StatefulSet", "nats"));
    expect(nats["podManagementPolicy"]).toBe("Parallel");
  });
});

suite(`another namespace${skipped}`, () => {
  it("has its autoscaler ask its own broker", () => {
    const manifests = render(ELSEWHERE);
    const spaces = manifests.map(({ metadata }) => metadata.namespace ?? "elsewhere");
    expect(new Set(spaces)).toEqual(new Set(["elsewhere"]));
    const { triggers } = specOf(find(manifests, "ScaledObject", "rollout")) as {
      triggers: { metadata: Record<string, string> }[];
    };
    expect(triggers[0]?.metadata["natsServerMonitoringEndpoint"]).toBe(
      "nats.elsewhere.svc.cluster.local:8222",
    );
  });
});

suite(`components${skipped}`, () => {
  it("leave objects of one's own in the namespace that they have", () => {
    using mine = overlayOf({
      resources: ["../cpu", "mine.yaml"],
      components: TOGETHER.map((name) => `../../components/${name}`),
    });
    writeFileSync(
      join(mine.folder, "mine.yaml"),
      JSON.stringify({
        ...{ apiVersion: "v1", kind: "ConfigMap" },
        metadata: { name: "mine", namespace: "monitoring" },
      }),
    );
    expect(find(render(mine.path), "ConfigMap", "mine").metadata.namespace).toBe("monitoring");
  });
});

suite(`volumes${skipped}`, () => {
  const PATHS = [...OVERLAYS, EVERYTHING];
  it.each(PATHS)("%s has each claim mounted by one pod, which one node may mount", (path) => {
    const claims = DATA.flatMap(render).filter(({ kind }) => kind === "PersistentVolumeClaim");
    expect(claims.map((claim) => specOf(claim)["accessModes"])).toEqual(
      claims.map(() => ["ReadWriteOnce"]),
    );
    const users = new Map<string, string[]>();
    for (const { name, replicas, pod, claimTemplates } of workloadsOf(render(path))) {
      for (const { spec } of claimTemplates as { spec?: Spec }[]) {
        expect(spec?.["accessModes"], name).toEqual(["ReadWriteOnce"]);
      }
      for (const { persistentVolumeClaim } of pod.volumes ?? []) {
        const claim = persistentVolumeClaim?.claimName;
        if (claim === undefined) continue;
        expect(replicas, `${name} on ${claim}`).toBe(1);
        users.set(claim, [...(users.get(claim) ?? []), name]);
      }
    }
    expect([...users]).toEqual([["data-trainer-0", ["trainer"]]]);
  });

  it.each(["policy", "reward-model"])(
    "%s brings its models to one of its own, and waits for those that are not there yet",
    (name) => {
      const manifests = render("overlays/cpu");
      const workload = workloadsOf(manifests).find((one) => one.name === name)!;
      const { pod, container } = workload;
      const [bringer] = pod.initContainers ?? [];
      expect(bringer?.image).toBe(container.image);
      expect(bringer?.args).toEqual([...container.args!, "--bring-models", "true"]);
      expect(Object.keys(SERVICES[name as Service].shape)).toContain("bringModels");
      const { modelsCache } = settingsOf(manifests, workload);
      for (const { volumeMounts = [] } of [bringer!, container]) {
        const mount = volumeMounts.find(({ mountPath }) => mountPath === modelsCache);
        expect(mount?.readOnly ?? false).toBe(false);
        expect(pod.volumes?.find((one) => one.name === mount?.name)).toHaveProperty("emptyDir");
      }
    },
  );
});

import { spawn } from "node:child_process";
import { once } from "node:events";
import { writeFileSync } from "node:fs";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { tempDir } from "@stagecraft/testing";
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
    expect(names.sort()).toEqual([
      "Namespace/stagecraft",
      "PersistentVolumeClaim/data-trainer-0",
      "PersistentVolumeClaim/models",
    ]);
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

  it("of several use the overlay cpu's one volume together", () => {
    for (const { name, pod } of workloadsOf(render("overlays/cpu"))) {
      const usesModels = pod.volumes?.some(
        ({ persistentVolumeClaim }) => persistentVolumeClaim?.claimName === "models",
      );
      const { requiredDuringSchedulingIgnoredDuringExecution: required = [] } =
        pod.affinity?.podAffinity ?? {};
      expect(required, name).toHaveLength(usesModels ? 1 : 0);
    }
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

suite(`models that are not there yet${skipped}`, () => {
  it.each(["policy", "reward-model"])("%s waits for its own and says so", async (name) => {
    await using dir = await tempDir();
    const { pod, container } = workloadsOf(render("overlays/cpu")).find(
      (one) => one.name === name,
    )!;
    const [waiter] = pod.initContainers ?? [];
    expect(waiter?.image).toBe(container.image);
    const [shell = "", ...args] = waiter?.command ?? [];
    expect(args.pop()).toMatch(/^\/models\/\w+$/);
    const waiting = spawn(shell, [...args, dir.path], { stdio: ["ignore", "pipe", "inherit"] });
    const [said] = (await once(waiting.stdout, "data")) as [Buffer];
    expect(said.toString()).toContain(`waiting for a model in ${dir.path}: copy one there`);
    waiting.kill("SIGKILL");
    await writeFile(dir.file("config.json"), "{}");
    const [code] = (await once(spawn(shell, [...args, dir.path]), "close")) as [number];
    expect(code).toBe(0);
  });
});

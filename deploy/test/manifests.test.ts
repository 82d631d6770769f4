import { readFileSync } from "node:fs";
import { deploymentTopology } from "@stagecraft/bus";
import { BROKER_WAIT_MS } from "@stagecraft/service-kit";
import { OBJECT_STORE_LOCATION } from "@stagecraft/weights";
import { describe, expect, it } from "vitest";
import { jobPod } from "./job-pod.js";
import { DATA, EVERYTHING, OVERLAYS, render, RENDERER_MISSING } from "./render.js";
import type { Manifest } from "./schemas.js";
import { isService, settingsOf } from "./settings.js";
import { find, quantity, serversOf, workloadsOf, type Workload } from "./workloads.js";

const read = (path: string) => readFileSync(new URL(path, import.meta.url), "utf8");
const { version } = JSON.parse(read("../../package.json")) as { version: string };
const GPU = "nvidia.com/gpu";

const ours = (manifests: readonly Manifest[]) =>
  serversOf(manifests).filter(({ name }) => isService(name));
const matches = (selector: Record<string, string>, { labels }: Workload) =>
  Object.entries(selector).every(([key, value]) => labels[key] === value);

const skipped = RENDERER_MISSING ? ` (skipped: ${RENDERER_MISSING})` : "";
const suite = describe.skipIf(RENDERER_MISSING !== undefined);
suite.each([...OVERLAYS, EVERYTHING])(`%s${skipped}`, (path) => {
  it("has the five services and NATS, in one namespace", () => {
    const manifests = render(path);
    const found = workloadsOf(manifests).map(({ kind, name }) => `${kind}/${name}`);
    expect(found).toEqual(
      expect.arrayContaining([
        "Deployment/policy",
        "Deployment/reward-model",
        "Deployment/rollout",
        "Deployment/trainer",
        "Deployment/gateway",
        "StatefulSet/nats",
      ]),
    );
    const namespaces = manifests.filter(({ kind }) => kind !== "PriorityClass");
    expect(new Set(namespaces.map(({ metadata }) => metadata.namespace))).toEqual(
      new Set(["stagecraft"]),
    );
  });

  it("restricts every pod: no root, no writing, no capabilities, no token", () => {
    for (const { name, pod, containers } of workloadsOf(render(path))) {
      expect(pod.automountServiceAccountToken, name).toBe(false);
      expect(pod.securityContext, name).toMatchObject({
        runAsNonRoot: true,
        runAsUser: 10001,
        seccompProfile: { type: "RuntimeDefault" },
      });
      for (const { securityContext } of containers) {
        expect(securityContext, name).toEqual({
          allowPrivilegeEscalation: false,
          readOnlyRootFilesystem: true,
          capabilities: { drop: ["ALL"] },
        });
      }
    }
  });

  it("gives every container CPU and memory, asked for and limited", () => {
    const all = workloadsOf(render(path)).flatMap(({ containers }) => containers);
    for (const { name, resources } of all) {
      const { requests, limits } = resources ?? {};
      for (const resource of ["cpu", "memory"]) {
        expect(quantity(requests?.[resource]), `${name} ${resource}`).toBeGreaterThan(0);
        expect(quantity(limits?.[resource]), `${name} ${resource}`).toBeGreaterThanOrEqual(
          quantity(requests?.[resource]),
        );
      }
    }
  });

  it("probes every server for start, readiness and life, services by gRPC on their probe port", () => {
    const manifests = render(path);
    for (const workload of serversOf(manifests)) {
      const { startupProbe, readinessProbe, livenessProbe } = workload.container;
      for (const probe of [startupProbe, readinessProbe, livenessProbe]) {
        expect(probe, workload.name).toBeDefined();
        if (!isService(workload.name)) continue;
        const port = settingsOf(manifests, workload).probePort;
        // A service that waits for its broker is not ready, but a new start would not help it.
        expect(probe?.grpc).toEqual(
          probe === livenessProbe ? { port, service: "alive" } : { port },
        );
      }
      const { periodSeconds = 10, failureThreshold = 3 } = startupProbe ?? {};
      expect(periodSeconds * failureThreshold, workload.name).toBeGreaterThanOrEqual(60);
    }
  });

  it("notices a lost pod's successor within a second, and waits for nothing else as long as 15 s", () => {
    const manifests = render(path);
    for (const workload of serversOf(manifests)) {
      const { startupProbe, readinessProbe } = workload.container;
      expect(startupProbe?.periodSeconds, workload.name).toBe(1);
      expect(readinessProbe?.periodSeconds, workload.name).toBeLessThanOrEqual(5);
      if (!isService(workload.name)) continue;
      const { leaseMs = 0, taskAckWaitMs = 0 } = settingsOf(manifests, workload);
      expect(leaseMs, workload.name).toBeLessThanOrEqual(5000);
      expect(taskAckWaitMs, workload.name).toBeLessThanOrEqual(10_000);
    }
  });

  it("starts no service anew that waits for the broker, and for the policy, to be up", () => {
    const manifests = render(path);
    for (const workload of ours(manifests)) {
      const { natsUrl, connectTimeoutMs = 0 } = settingsOf(manifests, workload);
      const waitMs = (natsUrl === undefined ? 0 : BROKER_WAIT_MS) + connectTimeoutMs;
      const { periodSeconds = 10, failureThreshold = 3 } = workload.container.startupProbe ?? {};
      expect(periodSeconds * failureThreshold * 1000, workload.name).toBeGreaterThan(waitMs);
    }
  });

  it("lets workers wait for a policy until its model is put in, however long that takes", () => {
    const manifests = render(path);
    const workload = ours(manifests).find(({ name }) => name === "rollout")!;
    const { connectTimeoutMs = 0 } = settingsOf(manifests, workload);
    expect(connectTimeoutMs).toBeGreaterThanOrEqual(24 * 3600 * 1000);
  });

  it("configures services with fields they know, on the ports their pods name", () => {
    const manifests = render(path);
    expect(ours(manifests)).toHaveLength(5);
    for (const workload of ours(manifests)) {
      const settings = settingsOf(manifests, workload);
      expect(settings, workload.name).toMatchObject({ host: "0.0.0.0", metricsHost: "0.0.0.0" });
      expect(settings.tokens.length, workload.name).toBeGreaterThan(0); // or it would not start
      const ports = Object.fromEntries(
        (workload.container.ports ?? []).map(({ name, containerPort }) => [name, containerPort]),
      );
      const { port, probePort, metricsPort, httpPort } = settings;
      const http = httpPort === undefined ? {} : { http: httpPort };
      const expected = { grpc: port, probe: probePort, metrics: metricsPort, ...http };
      expect(ports, workload.name).toEqual(expected);
    }
  });

  it("gives engines no more threads than CPUs", () => {
    const manifests = render(path);
    for (const workload of ours(manifests)) {
      const { threads } = settingsOf(manifests, workload);
      if (threads === undefined) continue;
      const { cpu } = workload.container.resources?.limits ?? {};
      expect(threads, workload.name).toBe(quantity(cpu));
    }
  });

  it("ends no pod before preStop and graceMs are over", () => {
    const manifests = render(path);
    for (const workload of ours(manifests)) {
      const [command, seconds] = workload.container.lifecycle?.preStop?.exec?.command ?? [];
      expect(command, workload.name).toBe("sleep");
      const { graceMs } = settingsOf(manifests, workload);
      const drains = workload.name === "rollout" ? 2 : 1; // its tasks, then its calls
      expect(workload.pod.terminationGracePeriodSeconds, workload.name).toBeGreaterThan(
        Number(seconds) + (drains * graceMs) / 1000,
      );
    }
  });

  it("connects Services with named ports of running pods, headless where calls are spread", () => {
    const manifests = render(path);
    const services = manifests.filter(
      ({ kind, metadata }) => kind === "Service" && metadata.name !== "reward-model-scoring",
    );
    expect(services.map(({ metadata }) => metadata.name).sort()).toEqual(
      serversOf(manifests)
        .map(({ name }) => name)
        .sort(),
    );
    for (const { metadata, spec } of services as (Manifest & { spec: ServiceSpec })[]) {
      expect(spec.clusterIP, metadata.name).toBe("None");
      const pods = serversOf(manifests).filter((workload) => matches(spec.selector, workload));
      expect(pods.map(({ name }) => name)).toEqual([metadata.name]);
      for (const { port, targetPort } of spec.ports) {
        const target = pods[0]?.container.ports?.find(({ name }) => name === targetPort);
        expect(target?.containerPort, `${metadata.name} ${targetPort}`).toBe(port);
      }
    }
  });

  it("sends services to addresses that exist", () => {
    const manifests = render(path);
    for (const workload of ours(manifests)) {
      const settings = settingsOf(manifests, workload);
      const { policyAddress, rewardAddress, natsUrl, models = [], rewardModels = [] } = settings;
      const served = workload.name === "gateway" ? [...models, ...rewardModels] : [];
      if (workload.name === "gateway") expect(served).toHaveLength(2);
      const named = served.map((entry) => entry.split("=")[1]);
      for (const address of [policyAddress, rewardAddress, natsUrl, ...named]) {
        if (address === undefined || address === "") continue;
        const [host = "", port] = address.replace("nats://", "").split(":");
        const { ports } = find(manifests, "Service", host)["spec"] as ServiceSpec;
        expect(ports.map((one) => one.port)).toContain(Number(port));
      }
    }
  });

  it("names every model by its store, below what the trainer may load", () => {
    const manifests = render(path);
    const inStore = path === EVERYTHING ? /^s3:\/\/models/ : /^nats:/;
    for (const workload of ours(manifests)) {
      const settings = settingsOf(manifests, workload);
      const { modelDir, models = [], modelSources, registry } = settings;
      const held = workload.name === "reward-model" ? models : []; // the gateway's are addresses
      const named = [modelDir, registry, ...held.map((model) => model.split("=")[1])];
      for (const text of [...named, ...(modelSources ?? [])]) {
        if (text !== undefined) expect(text, workload.name).toMatch(inStore);
      }
      if (workload.name === "trainer") expect(modelSources).toHaveLength(1);
    }
  });

  it("mounts every folder that settings name, to be written", () => {
    const manifests = render(path);
    const mountOf = ({ container }: Workload, folder: string) =>
      container.volumeMounts?.find(({ mountPath }) => `${folder}/`.startsWith(`${mountPath}/`));
    for (const workload of ours(manifests)) {
      const settings = settingsOf(manifests, workload);
      const { modelsCache, weightsDir, runsDir, feedbackDir } = settings;
      for (const folder of [modelsCache, weightsDir, runsDir, feedbackDir]) {
        if (folder === undefined || folder === OBJECT_STORE_LOCATION) continue;
        const mount = mountOf(workload, folder);
        expect(mount, `${workload.name} ${folder}`).toBeDefined();
        expect(mount?.readOnly ?? false, `${workload.name} ${folder}`).toBe(false);
      }
    }
  });

  it("claims every volume that it mounts", () => {
    const manifests = [...render(path), ...DATA.flatMap(render)];
    for (const { name, pod, containers, claimTemplates } of workloadsOf(manifests)) {
      const volumes = pod.volumes ?? [];
      for (const { configMap, persistentVolumeClaim } of volumes) {
        if (configMap) find(manifests, "ConfigMap", configMap.name);
        if (persistentVolumeClaim) {
          find(manifests, "PersistentVolumeClaim", persistentVolumeClaim.claimName);
        }
      }
      const known = [...volumes.map((one) => one.name), ...claimTemplates.map(templateName)];
      const mounts = containers.flatMap(({ volumeMounts = [] }) => volumeMounts);
      for (const mount of mounts) expect(known, name).toContain(mount.name);
    }
  });

  it("selects existing pods in every budget and network rule", () => {
    const manifests = render(path);
    const selectors = manifests.flatMap(({ kind, spec }) => {
      const { selector, podSelector } = (spec ?? {}) as Record<string, PodSelector | undefined>;
      if (kind === "PodDisruptionBudget") return [selector?.matchLabels];
      return kind === "NetworkPolicy" ? [podSelector?.matchLabels] : [];
    });
    expect(selectors.length).toBeGreaterThan(5);
    for (const selector of selectors) {
      const job = jobPod({ envSecret: "s3-keys" });
      const client = { ...job, labels: { "stagecraft.dev/client": "true" } }; // a program of yours
      const pods = [...workloadsOf(manifests), job, client];
      const selected = pods.filter((one) => matches(selector ?? {}, one));
      expect(selected.length, JSON.stringify(selector)).toBeGreaterThan(0);
    }
  });

  it("names images as they are built, at this version", () => {
    const targets = [...read("../images/Dockerfile").matchAll(/^FROM \S+ AS (\S+)$/gm)];
    const names = targets.map(([, name]) => `stagecraft/${name}:${version}`);
    for (const { name, container, containers } of workloadsOf(render(path))) {
      if (name === "nats" || name === "postgres") continue;
      for (const { image } of containers) expect(names, name).toContain(image);
      const onGpu = container.resources?.limits?.[GPU] !== undefined;
      if (isService(name)) expect(container.image).toContain(`/${name}${onGpu ? "-gpu" : ""}:`);
    }
  });

  it("keeps NATS's files within three quarters of its disk, synced, by a server that can", () => {
    const manifests = render(path);
    const nats = serversOf(manifests).find(({ name }) => name === "nats");
    const [claim] = nats?.claimTemplates ?? [];
    const { storage } = (claim?.["spec"] as ClaimSpec).resources.requests;
    const config = nats?.pod.volumes?.find(({ name }) => name === "config")?.configMap?.name ?? "";
    const text = (find(manifests, "ConfigMap", config)["data"] as Record<string, string>)[
      "nats.conf"
    ];
    const [, gib] = /max_file_store: (\d+)GiB/.exec(text ?? "") ?? [];
    expect(Number(gib) * 2 ** 30).toBeGreaterThan(0);
    expect(Number(gib) * 2 ** 30).toBeLessThanOrEqual(0.75 * quantity(storage));
    expect(text).toMatch(/sync_interval: always/);
    const [, minor] = /nats:2\.(\d+)/.exec(nats?.container.image ?? "") ?? [];
    expect(Number(minor)).toBeGreaterThanOrEqual(12);
  });
});

suite(`components/public${skipped}`, () => {
  const gatewayOf = (path: string) =>
    ours(render(path)).find(({ name }) => name === "gateway") as Workload;

  it("opens the pages to an ingress alone; without it only who is in the pod gets there", () => {
    const base = settingsOf(render("overlays/cpu"), gatewayOf("overlays/cpu"));
    expect(base.httpHost).toBe("127.0.0.1");
    const manifests = render(EVERYTHING);
    const open = settingsOf(manifests, gatewayOf(EVERYTHING)) as unknown as Site;
    expect(open).toMatchObject({ httpHost: "0.0.0.0", httpTrustedProxies: ["10.0.0.0/8"] });
    const { rules } = find(manifests, "Ingress", "gateway")["spec"] as {
      rules: { host: string }[];
    };
    expect(rules.map(({ host }) => `https://${host}`)).toEqual([open.httpPublicUrl]);
    const rule = find(manifests, "NetworkPolicy", "allow-ingress-to-pages")["spec"] as Rule;
    expect(rule.ingress[0]!.ports.map(({ port }) => port)).toEqual([8080]);
  });
});

interface Site {
  httpPublicUrl: string;
}

interface Rule {
  ingress: { ports: { port: number }[] }[];
}

suite(`GPUs${skipped}`, () => {
  it.each([
    ["overlays/cpu", 0, []],
    ["overlays/gpu", 5, ["policy", "reward-model", "trainer"]],
    ["overlays/gpu-2", 2, ["policy", "trainer"]],
    ["overlays/gpu-1", 1, ["trainer"]],
  ])("%s asks for %i GPUs, for %j, with the engine xla", (path, numGpus, expected) => {
    const manifests = render(path);
    const onGpu = ours(manifests).filter(({ container }) => container.resources?.limits?.[GPU]);
    expect(onGpu.map(({ name }) => name)).toEqual(expected);
    expect(onGpu.reduce((sum, { replicas }) => sum + replicas, 0)).toBe(numGpus);
    for (const workload of onGpu) {
      const { name, pod, container } = workload;
      expect(settingsOf(manifests, workload).engine, name).toBe("xla");
      expect(container.resources?.limits?.[GPU], name).toBe("1");
      expect(pod.nodeSelector, name).toEqual({ "nvidia.com/gpu.present": "true" });
      expect(pod.tolerations, name).toContainEqual(expect.objectContaining({ key: GPU }));
    }
  });

  it("leaves the others on the native engine", () => {
    const manifests = render("overlays/cpu");
    const engines = ours(manifests).map((workload) => settingsOf(manifests, workload).engine);
    expect(engines.filter((engine) => engine !== undefined)).toEqual([
      "native",
      "native",
      "native",
    ]);
  });
});

suite(`components/autoscale${skipped}`, () => {
  it("scales the rollout workers by the consumer they share", () => {
    const manifests = render(EVERYTHING);
    const worker = ours(manifests).find(({ name }) => name === "rollout") as Workload;
    const { promptsConsumer } = deploymentTopology(settingsOf(manifests, worker).deployment ?? "");
    const { scaleTargetRef, triggers } = find(manifests, "ScaledObject", "rollout")[
      "spec"
    ] as ScaledSpec;
    expect(scaleTargetRef.name).toBe("rollout");
    expect(triggers[0]?.metadata).toMatchObject({
      stream: promptsConsumer.stream,
      consumer: promptsConsumer.durable,
      natsServerMonitoringEndpoint: "nats.stagecraft.svc.cluster.local:8222",
    });
  });
});

const templateName = ({ metadata }: Manifest) => metadata.name;

interface ServiceSpec {
  clusterIP: string;
  selector: Record<string, string>;
  ports: { port: number; targetPort: string }[];
}

interface PodSelector {
  matchLabels?: Record<string, string>;
}

interface ClaimSpec {
  resources: { requests: { storage: string } };
}

interface ScaledSpec {
  scaleTargetRef: { name: string };
  triggers: { metadata: Record<string, string> }[];
}

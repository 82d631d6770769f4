import { describe, expect, it } from "vitest";
import { jobPod } from "./job-pod.js";
import { mayLeave, reaches, rulesOf } from "./network-rules.js";
import { EVERYTHING, OVERLAYS, render, RENDERER_MISSING } from "./render.js";
import { isService, SERVICES, settingsOf, type Service } from "./settings.js";
import { serversOf, workloadsOf, type Workload } from "./workloads.js";

/** Servers of the namespace by the setting that names them; of the gateway also those that it offers. */
const FLOWS: Readonly<Record<string, string>> = {
  policyAddress: "policy:50051",
  rewardAddress: "reward-model:50052",
  trainerAddress: "trainer:50054",
  natsUrl: "nats:4222",
  databaseUrl: "postgres:5432",
};
const OFFERED = ["policy:50051", "reward-model:50052"];

/** What stands outside: egress-gateway, egress-object-store, and a rule of the operator's for traces. */
const OUTSIDE = ["oidcIssuer", "s3Endpoint", "tracesEndpoint", "httpPublicUrl"];

function flowsOf(service: Service): string[] {
  const named = Object.keys(SERVICES[service].shape).flatMap((field) => FLOWS[field] ?? []);
  return service === "gateway" ? [...named, ...OFFERED] : named;
}

/** `HOST:PORT` of our servers, wherever it stands in settings. */
function addressesIn(settings: object, servers: readonly Workload[]): string[] {
  const texts = Object.values(settings).flat().map(String);
  return servers.flatMap(({ name }) =>
    texts.flatMap((text) => new RegExp(`\\b${name}:\\d+`).exec(text)?.[0] ?? []),
  );
}

const skipped = RENDERER_MISSING ? ` (skipped: ${RENDERER_MISSING})` : "";
describe.skipIf(RENDERER_MISSING !== undefined)(`network rules${skipped}`, () => {
  it.each([...OVERLAYS, EVERYTHING])(
    "%s let services call what their settings can name, and no more",
    (path) => {
      const manifests = render(path);
      const rules = rulesOf(manifests);
      const servers = serversOf(manifests);
      for (const workload of servers.filter(({ name }) => isService(name))) {
        const may = flowsOf(workload.name as Service);
        for (const called of addressesIn(settingsOf(manifests, workload), servers)) {
          expect(may, `${workload.name} names ${called}`).toContain(called);
        }
        for (const other of servers) {
          if (workload.name === other.name) continue; // servers of one kind among themselves
          for (const { containerPort: port } of other.container.ports ?? []) {
            const flow = `${other.name}:${port}`;
            const to = { labels: other.labels, port };
            const isOpen = reaches(rules, { pod: workload.labels }, to);
            expect(isOpen, `${workload.name} to ${flow}`).toBe(may.includes(flow));
          }
        }
      }
    },
  );

  it.each([...OVERLAYS, EVERYTHING])(
    "%s let Jobs of pipelines call gateway and broker, and an object store if they have its keys",
    (path) => {
      const manifests = render(path);
      const rules = rulesOf(manifests);
      const pod = jobPod().labels;
      const open = serversOf(manifests).flatMap(({ labels, name, container }) =>
        (container.ports ?? []).flatMap(({ containerPort: port }) =>
          reaches(rules, { pod }, { labels, port }) ? [`${name}:${port}`] : [],
        ),
      );
      expect(open.sort()).toEqual(["gateway:50055", "nats:4222"]);
      // A rule for every pod is the component egress; model-loader has one of its own besides.
      const isClosed = rules.some(
        ({ policyTypes, podSelector }) =>
          policyTypes.includes("Egress") && Object.keys(podSelector).length === 0,
      );
      const s3 = { labels: {}, port: 443 };
      expect(mayLeave(rules, pod, s3)).toBe(!isClosed);
      expect(mayLeave(rules, jobPod({ envSecret: "s3-keys" }).labels, s3)).toBe(true);
    },
  );

  it.each([...OVERLAYS, EVERYTHING])(
    "%s let clients of the namespace call every service",
    (path) => {
      const manifests = render(path);
      const rules = rulesOf(manifests);
      const pod = { "stagecraft.dev/client": "true" };
      const open = serversOf(manifests).flatMap(({ labels, name, container }) =>
        (container.ports ?? []).flatMap(({ containerPort: port }) =>
          reaches(rules, { pod }, { labels, port }) ? [`${name}:${port}`] : [],
        ),
      );
      const services = ["policy:50051", "reward-model:50052", "rollout:50053", "trainer:50054"];
      expect(open.sort()).toEqual(["gateway:50055", ...services]);
    },
  );

  it("let model-loader call the broker, and nobody else", () => {
    const manifests = render("overlays/trial");
    const rules = rulesOf(manifests);
    const { labels: pod } = workloadsOf(manifests).find(({ name }) => name === "model-loader")!;
    const open = serversOf(manifests).flatMap(({ labels, name, container }) =>
      (container.ports ?? []).flatMap(({ containerPort: port }) =>
        reaches(rules, { pod }, { labels, port }) ? [`${name}:${port}`] : [],
      ),
    );
    expect(open).toEqual(["nats:4222"]);
    expect(mayLeave(rules, pod, { labels: {}, port: 443 })).toBe(false);
  });

  it("hold every setting that names a server: each is in the table of flows", () => {
    for (const [service, { shape }] of Object.entries(SERVICES)) {
      const named = Object.keys(shape).filter((field) =>
        /(Address|Url|Endpoint|Issuer)$/.test(field),
      );
      const known = [...Object.keys(FLOWS), ...OUTSIDE];
      expect(
        named.filter((field) => !known.includes(field)),
        service,
      ).toEqual([]);
    }
  });

  it("let clients in namespaces labelled for it score, and nothing else", () => {
    const manifests = render("overlays/cpu");
    const rules = rulesOf(manifests);
    const client = { "stagecraft.dev/client": "true" };
    const namespace = { "stagecraft.dev/scoring": "true" };
    const open = serversOf(manifests).flatMap(({ labels, name, container }) =>
      (container.ports ?? []).flatMap(({ containerPort: port }) =>
        reaches(rules, { pod: client, namespace }, { labels, port }) ? [`${name}:${port}`] : [],
      ),
    );
    expect(open).toEqual(["reward-model:50052"]);
    const to = { labels: { "app.kubernetes.io/name": "reward-model" }, port: 50052 };
    expect(reaches(rules, { pod: {}, namespace }, to)).toBe(false);
    expect(reaches(rules, { pod: client, namespace: {} }, to)).toBe(false);
    expect(reaches(rules, { pod: client }, to)).toBe(true);
  });

  it.each(["overlays/production", EVERYTHING])("%s leave nothing but what is named", (path) => {
    const rules = rulesOf(render(path));
    const elsewhere = { labels: { app: "somebody" }, port: 8080 };
    for (const { name, labels } of serversOf(render(path))) {
      expect(mayLeave(rules, labels, elsewhere), name).toBe(false);
      const database = { labels: {}, port: 5432 };
      expect(mayLeave(rules, labels, database), name).toBe(name === "gateway");
    }
    const brokers = { "app.kubernetes.io/name": "nats" };
    const route = { labels: brokers, port: 6222 };
    expect(reaches(rules, { pod: brokers }, route)).toBe(true);
  });
});

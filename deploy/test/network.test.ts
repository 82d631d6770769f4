import { describe, expect, it } from "vitest";
import { EVERYTHING, OVERLAYS, render, RENDERER_MISSING } from "./render.js";
import { isService, settingsOf } from "./settings.js";
import { serversOf } from "./workloads.js";
import type { Manifest } from "./schemas.js";

interface Expression {
  key: string;
  values: string[];
}

interface Selector {
  matchLabels?: Record<string, string>;
  matchExpressions?: Expression[];
}

interface Peer {
  podSelector?: Selector;
  namespaceSelector?: Selector;
  ipBlock?: { cidr: string };
}

interface Rule {
  podSelector: Selector;
  policyTypes: string[];
  ingress?: { from: Peer[]; ports: { port: number }[] }[];
  egress?: { to?: Peer[]; ports: { port: number }[] }[];
}

type Labels = Record<string, string>;

const selects = ({ matchLabels = {}, matchExpressions = [] }: Selector, labels: Labels) =>
  Object.entries(matchLabels).every(([key, value]) => labels[key] === value) &&
  matchExpressions.every(({ key, values }) => values.includes(labels[key] ?? ""));

/** Whether a pod with the one labels, in a namespace with those labels, reaches a port of the other. */
function reaches(rules: readonly Rule[], from: Source, to: Target) {
  const isAsked = rules.some(
    ({ podSelector, ingress = [] }) =>
      selects(podSelector, to.labels) &&
      ingress.some((one) => names(one.ports, to) && one.from.some((peer) => isPeer(peer, from))),
  );
  return isAsked && (from.namespace !== undefined || mayLeave(rules, from.pod, to));
}

/** Without a rule about what leaves a pod everything does. */
function mayLeave(rules: readonly Rule[], pod: Labels, to: Target) {
  const own = rules.filter(
    ({ policyTypes, podSelector }) => policyTypes.includes("Egress") && selects(podSelector, pod),
  );
  const open = own.flatMap(({ egress = [] }) => egress).filter(({ ports }) => names(ports, to));
  const isOpen = open.some(
    ({ to: peers }) => peers?.some((peer) => isPeer(peer, { pod: to.labels })) ?? true,
  );
  return own.length === 0 || isOpen;
}

const names = (ports: readonly { port: number }[], { port }: Target) =>
  ports.some((one) => one.port === port);

const isPeer = (
  { podSelector = {}, namespaceSelector, ipBlock }: Peer,
  { pod, namespace }: Source,
) =>
  !ipBlock &&
  (namespaceSelector ? selects(namespaceSelector, namespace ?? {}) : !namespace) &&
  selects(podSelector, pod);

interface Source {
  pod: Labels;
  namespace?: Labels;
}

interface Target {
  labels: Labels;
  port: number;
}

const rulesOf = (manifests: readonly Manifest[]) =>
  manifests.flatMap(({ kind, spec }) => (kind === "NetworkPolicy" ? [spec as Rule] : []));

const skipped = RENDERER_MISSING ? ` (skipped: ${RENDERER_MISSING})` : "";
describe.skipIf(RENDERER_MISSING !== undefined)(`network rules${skipped}`, () => {
  it.each([...OVERLAYS, EVERYTHING])(
    "%s let services call what their settings name, and no more",
    (path) => {
      const manifests = render(path);
      const rules = rulesOf(manifests);
      const servers = serversOf(manifests);
      const target = (address: string) => {
        const [host, port] = address.replace("nats://", "").split(":");
        return { labels: servers.find(({ name }) => name === host)!.labels, port: Number(port) };
      };
      for (const workload of servers.filter(({ name }) => isService(name))) {
        const { policyAddress, rewardAddress, natsUrl, ...rest } = settingsOf(manifests, workload);
        const served = [...(rest.models ?? []), ...(rest.rewardModels ?? [])];
        const named = workload.name === "gateway" ? served.map((one) => one.split("=")[1]) : [];
        const called = [policyAddress, rewardAddress, natsUrl, ...named].filter(
          (address): address is string => (address ?? "") !== "",
        );
        for (const other of servers) {
          for (const { containerPort: port } of other.container.ports ?? []) {
            const to = { labels: other.labels, port };
            const isRoute = workload.name === other.name; // servers of one kind among themselves
            const isDatabase = workload.name === "gateway" && other.name === "postgres";
            if (isRoute || isDatabase) continue;
            const isCalled = called.some((address) => {
              const { labels, port: calledPort } = target(address);
              return labels === other.labels && calledPort === port;
            });
            const flow = `${workload.name} to ${other.name}:${port}`;
            expect(reaches(rules, { pod: workload.labels }, to), flow).toBe(isCalled);
          }
        }
      }
    },
  );

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

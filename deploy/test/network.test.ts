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

interface Rule {
  podSelector: Selector;
  ingress?: {
    from: { podSelector?: Selector; namespaceSelector?: Selector }[];
    ports: { port: number }[];
  }[];
}

type Labels = Record<string, string>;

const selects = ({ matchLabels = {}, matchExpressions = [] }: Selector, labels: Labels) =>
  Object.entries(matchLabels).every(([key, value]) => labels[key] === value) &&
  matchExpressions.every(({ key, values }) => values.includes(labels[key] ?? ""));

/** Whether a pod with the one labels, in a namespace with those labels, reaches a port of the other. */
function reaches(rules: readonly Rule[], from: { pod: Labels; namespace?: Labels }, to: Target) {
  return rules.some(
    ({ podSelector, ingress = [] }) =>
      selects(podSelector, to.labels) &&
      ingress.some(
        (one) =>
          one.ports.some(({ port }) => port === to.port) &&
          one.from.some(
            ({ podSelector: pods = {}, namespaceSelector: spaces }) =>
              (spaces ? selects(spaces, from.namespace ?? {}) : !from.namespace) &&
              selects(pods, from.pod),
          ),
      ),
  );
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
          (address) => address !== undefined,
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
});

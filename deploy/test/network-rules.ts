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

/** A NetworkPolicy's `spec`. */
export interface Rule {
  podSelector: Selector;
  policyTypes: string[];
  ingress?: { from: Peer[]; ports: { port: number }[] }[];
  egress?: { to?: Peer[]; ports: { port: number }[] }[];
}

export type Labels = Record<string, string>;

const selects = ({ matchLabels = {}, matchExpressions = [] }: Selector, labels: Labels) =>
  Object.entries(matchLabels).every(([key, value]) => labels[key] === value) &&
  matchExpressions.every(({ key, values }) => values.includes(labels[key] ?? ""));

/** Whether a pod with the one labels, in a namespace with those labels, reaches a port of the other. */
export function reaches(rules: readonly Rule[], from: Source, to: Target) {
  const isAsked = rules.some(
    ({ podSelector, ingress = [] }) =>
      selects(podSelector, to.labels) &&
      ingress.some((one) => names(one.ports, to) && one.from.some((peer) => isPeer(peer, from))),
  );
  return isAsked && (from.namespace !== undefined || mayLeave(rules, from.pod, to));
}

/** Without a rule about what leaves a pod everything does. */
export function mayLeave(rules: readonly Rule[], pod: Labels, to: Target) {
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

/** A pod by its labels; of another namespace by that one's, too. */
export interface Source {
  pod: Labels;
  namespace?: Labels;
}

/** A port of a pod of this namespace. */
export interface Target {
  labels: Labels;
  port: number;
}

/** The rules among the manifests. */
export const rulesOf = (manifests: readonly Manifest[]) =>
  manifests.flatMap(({ kind, spec }) => (kind === "NetworkPolicy" ? [spec as Rule] : []));

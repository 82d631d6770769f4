// Whether a network plugin lets through what the rules name, and nothing else: run with KUBECONFIG of a cluster
// that has one and that runs an overlay, and STAGECRAFT_ENFORCED=yes.
import { describe, expect, it } from "vitest";
import { reaches, type Labels, type Rule, type Source } from "../network-rules.js";
import { scriptPod, IMAGE } from "./pod.js";
import { kubectl, SERVER_MISSING, testNamespace } from "./server.js";

const NAMESPACE = process.env["STAGECRAFT_NAMESPACE"] ?? "stagecraft";
const missing =
  SERVER_MISSING ??
  (process.env["STAGECRAFT_ENFORCED"] === "yes"
    ? undefined
    : "STAGECRAFT_ENFORCED=yes says that this server's cluster enforces network rules");
const skipped = missing ? ` (skipped: ${missing})` : "";
const MINUTES = 60_000;

interface Listed {
  metadata: { name: string; labels: Labels };
  spec: { containers: { name: string; ports?: { containerPort: number }[] }[] } & Rule;
  status: { phase: string; podIP: string };
}

const list = (kind: string) =>
  JSON.parse(kubectl(["--namespace", NAMESPACE, "get", kind, "--output=json"])) as {
    items: Listed[];
  };

/** Ports that are not open to other pods, by any rule. */
const WITHIN = new Set([8080]);

/** Ports of our pods: `NAME:PORT`. */
const portsOf = (pods: readonly Listed[]) =>
  pods.flatMap(({ metadata, spec, status }) =>
    (spec.containers[0]?.ports ?? [])
      .filter(({ containerPort }) => !WITHIN.has(containerPort))
      .map(({ containerPort: port }) => ({
        ...{ flow: `${nameOf(metadata.labels)}:${port}`, labels: metadata.labels },
        ...{ port, address: `${status.podIP}:${port}` },
      })),
  );

const isOfKind = (one: Labels, other: Labels) => nameOf(one) === nameOf(other);
const nameOf = (labels: Labels) => labels["app.kubernetes.io/name"] ?? "";

/**
 * Knocks on every address until those are open that are wanted, and no others, for 30 s at most: a plugin takes a
 * moment to know a new pod. Prints those that take a connection.
 */
const knockOn = (addresses: readonly string[], wanted: readonly string[]) => `
import { connect } from "node:net";
const knock = (address) => new Promise((done) => {
  const [host, port] = address.split(":");
  const socket = connect({ host, port: Number(port), timeout: 3000 });
  const end = (isOpen) => { socket.destroy(); done(isOpen ? [address] : []); };
  socket.on("connect", () => end(true)).on("error", () => end(false)).on("timeout", () => end(false));
});
const until = Date.now() + 30_000;
let open;
do open = (await Promise.all(${JSON.stringify(addresses)}.map(knock))).flat();
while (open.join() !== ${JSON.stringify(wanted.join())} && Date.now() < until);
console.log(JSON.stringify(open));
process.exit(0);`;

describe.skipIf(missing !== undefined)(`network rules in force${skipped}`, () => {
  const pods = missing
    ? []
    : list("pods").items.filter(({ status, metadata }) => {
        return status.phase === "Running" && nameOf(metadata.labels) !== "model-loader";
      });
  const rules = missing ? [] : list("networkpolicies").items.map(({ spec }) => spec);

  /** Asks for every flow whether it is open, and expects it as the rules have it; those that are. */
  function compare(from: Source, knock: (script: string) => string) {
    // What a pod calls of itself passes no plugin.
    const ports = portsOf(pods.filter(({ metadata }) => !isOfKind(metadata.labels, from.pod)));
    const may = ports.filter(({ labels, port }) => reaches(rules, from, { labels, port }));
    const addressesOf = (some: typeof ports) => some.map(({ address }) => address);
    const said = knock(knockOn(addressesOf(ports), addressesOf(may))).trim();
    const open = JSON.parse(said.split("\n").at(-1) ?? "") as string[];
    const isOpen = ({ address }: { address: string }) => open.includes(address);
    const flows = (some: typeof ports) => [...new Set(some.map(({ flow }) => flow))].sort();
    expect(flows(ports.filter(isOpen))).toEqual(flows(may));
    return flows(may);
  }

  /** A pod of its own, gone when it has looked. */
  function fromPod(namespace: string, labels: Labels, script: string) {
    const name = "stagecraft-test-knock";
    const overrides = JSON.stringify(scriptPod(name, { script, labels }));
    const how = ["--rm", "--stdin", "--quiet", "--restart=Never", `--image=${IMAGE}`];
    const where = ["--namespace", namespace, "run", name];
    return kubectl([...where, ...how, `--overrides=${overrides}`]);
  }

  it.each(["policy", "reward-model", "rollout", "trainer", "gateway"])(
    "let %s reach what its settings can name, and nothing else",
    (name) => {
      const { metadata } = pods.find(({ metadata: { labels } }) => nameOf(labels) === name)!;
      const others = compare({ pod: metadata.labels }, (script) => {
        const where = ["--namespace", NAMESPACE, "exec", metadata.name, "--container", name];
        return kubectl([...where, "--", "node", "--input-type=module", "--eval", script]);
      });
      expect(others.length).toBeGreaterThan(0);
    },
    5 * MINUTES,
  );

  it.each([
    ["without a label", {}, 0],
    ["labelled as a client", { "stagecraft.dev/client": "true" }, 5],
    ["of a pipeline's Job", { "app.kubernetes.io/name": "pipeline" }, 2],
  ])(
    "let a pod %s in where it may, and nowhere else",
    (_, labels, count) => {
      const open = compare({ pod: labels as Labels }, (script) =>
        fromPod(NAMESPACE, labels as Labels, script),
      );
      expect(open).toHaveLength(count);
    },
    5 * MINUTES,
  );

  it(
    "let clients of other namespaces score where those are labelled for it",
    () => {
      using space = testNamespace({ pods: true });
      const client = { "stagecraft.dev/client": "true" };
      const look = (namespace: Labels) =>
        compare({ pod: client, namespace }, (script) => fromPod(space.name, client, script));
      expect(look({})).toEqual([]);
      const scoring = { "stagecraft.dev/scoring": "true" };
      kubectl(["label", "namespace", space.name, "stagecraft.dev/scoring=true"]);
      expect(look(scoring)).toEqual(["reward-model:50052"]);
    },
    5 * MINUTES,
  );
});

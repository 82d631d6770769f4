import { execFile, spawnSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import { promisify } from "node:util";
import { overlayOf, render } from "../render.js";
import type { Manifest } from "../schemas.js";

/** Why no server is asked here, if so. KUBECONFIG is asked for by name: nobody's cluster is taken by chance. */
export const SERVER_MISSING = missingServer();

function missingServer(): string | undefined {
  if (!process.env["KUBECONFIG"]) return "no KUBECONFIG names a server";
  const { status, stderr } = spawnSync("kubectl", ["version"], { encoding: "utf8" });
  return status === 0 ? undefined : `kubectl version: ${stderr.trim().split("\n").at(-1)}`;
}

/** Output of kubectl; throws with its messages. */
export function kubectl(args: readonly string[], input?: string): string {
  const options = { encoding: "utf8", maxBuffer: 2 ** 26, timeout: 600_000 } as const;
  const { status, stdout, stderr } = spawnSync("kubectl", args, { ...options, input: input ?? "" });
  if (status !== 0) throw new Error(`kubectl ${args.join(" ")}: ${stderr}`);
  return stdout;
}

/** The same while something else goes on. */
export async function kubectlBeside(args: readonly string[]): Promise<string> {
  return (await promisify(execFile)("kubectl", args, { maxBuffer: 2 ** 26 })).stdout;
}

/** Applied by the server, every unknown field an error; `--dry-run=server` keeps nothing. */
export function apply(manifests: readonly Manifest[], ...flags: string[]): string {
  const strict = ["apply", "--server-side", "--force-conflicts", "--validate=strict"];
  const manager = ["--field-manager", "stagecraft-test"];
  return kubectl([...strict, ...manager, ...flags, "-f", "-"], textOf(manifests));
}

/** As deploy/README.md says it: `kubectl apply`, which compares with what it applied before. */
export function applyAsPeopleDo(manifests: readonly Manifest[]): string {
  return kubectl(["apply", "-f", "-"], textOf(manifests));
}

/** JSON: kubectl reads YAML by 1.1, where a bare `off` is no text. Up to 1.32 it takes no `---` between JSON. */
const textOf = (manifests: readonly Manifest[]) =>
  manifests.map((one) => JSON.stringify(one)).join("\n");

/** Objects of kinds that this server has; an operator that is not installed has none. */
function knownOf(manifests: readonly Manifest[]): Manifest[] {
  const unknown = unknownOf(manifests);
  return manifests.filter((manifest) => !unknown.has(kindOf(manifest)));
}

/** Kinds that this server does not have: their operators are not installed. */
export function unknownOf(manifests: readonly Manifest[]): Set<string> {
  const known = new Set(kubectl(["api-resources", "--no-headers"]).split("\n").map(groupAndKind));
  return new Set(manifests.map(kindOf).filter((kind) => !known.has(kind)));
}

const kindOf = ({ apiVersion, kind }: Manifest) => `${apiVersion} ${kind}`;

/** NAME [SHORT] APIVERSION NAMESPACED KIND. */
function groupAndKind(line: string): string {
  const [kind, , apiVersion] = line.trim().split(/\s+/).reverse();
  return `${apiVersion} ${kind}`;
}

/** What stays, in that namespace. */
export function dataOf(namespace: string, kind: "one-node" | "shared"): Manifest[] {
  using data = overlayOf({ namespace, resources: [`../../data/${kind}`] });
  return render(data.path);
}

/**
 * A namespace of the test's own, restricted as data/shared makes it, gone with it. Without pods, unless it
 * asks for them: where there are nodes they would take the places of others, whose priority is lower.
 */
export function testNamespace({ pods = false } = {}) {
  const name = `stagecraft-test-${randomBytes(4).toString("hex")}`;
  apply([...dataOf(name, "one-node"), ...(pods ? [] : [noPods(name)])]);
  return {
    name,
    /** What an overlay of ours, with these components, puts into it. */
    render(overlay: string, components: readonly string[] = []): Manifest[] {
      using mine = overlayOf({
        namespace: name,
        resources: [`../${overlay}`],
        components: components.map((one) => `../../components/${one}`),
      });
      return knownOf(render(mine.path));
    },
    [Symbol.dispose]: () => {
      kubectl(["delete", "namespace", name, "--wait=false"]);
    },
  };
}

const noPods = (namespace: string): Manifest & { spec: unknown } => ({
  apiVersion: "v1",
  kind: "ResourceQuota",
  metadata: { name: "no-pods", namespace },
  spec: { hard: { pods: "0" } },
});

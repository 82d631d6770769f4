import { spawnSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import { stringify } from "yaml";
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

/** Applied by the server, every unknown field an error; `--dry-run=server` keeps nothing. */
export function apply(manifests: readonly Manifest[], ...flags: string[]): string {
  const strict = ["apply", "--server-side", "--force-conflicts", "--validate=strict"];
  const text = manifests.map((one) => stringify(one)).join("---\n");
  return kubectl([...strict, "--field-manager", "stagecraft-test", ...flags, "-f", "-"], text);
}

/** Objects of kinds that this server has; an operator that is not installed has none. */
export function knownOf(manifests: readonly Manifest[]): Manifest[] {
  const known = new Set(kubectl(["api-resources", "--no-headers"]).split("\n").map(groupAndKind));
  return manifests.filter(({ apiVersion, kind }) => known.has(`${apiVersion} ${kind}`));
}

/** NAME [SHORT] APIVERSION NAMESPACED KIND. */
function groupAndKind(line: string): string {
  const [kind, , apiVersion] = line.trim().split(/\s+/).reverse();
  return `${apiVersion} ${kind}`;
}

/** A namespace of the test's own, restricted as data/shared makes it, gone with it. */
export function testNamespace() {
  const name = `stagecraft-test-${randomBytes(4).toString("hex")}`;
  using data = overlayOf({ namespace: name, resources: ["../../data/one-node"] });
  apply(render(data.path));
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

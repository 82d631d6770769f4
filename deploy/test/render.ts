import { spawnSync } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { basename, join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseAllDocuments } from "yaml";
import type { Manifest } from "./schemas.js";

/** The kustomizations that people apply. */
export const OVERLAYS = [
  "overlays/cpu",
  "overlays/gpu",
  "overlays/gpu-1",
  "overlays/gpu-2",
  "overlays/production",
  "overlays/trial",
] as const;

/** The optional components. */
export const COMPONENTS = readdirSync(new URL("../kustomize/components", import.meta.url));

/** Those that go together: scoring-gateway-secure has the other one in it. */
export const TOGETHER = COMPONENTS.filter((name) => name !== "scoring-gateway");

/** Of these components those that an overlay does not have yet: twice is an error of kustomize. */
export function addable(overlay: string, components: readonly string[] = TOGETHER): string[] {
  const file = new URL(`../kustomize/${overlay}/kustomization.yaml`, import.meta.url);
  const own = readFileSync(file, "utf8");
  return components.filter((name) => !own.includes(`components/${name}\n`));
}

/** What is applied before them, once, and stays. */
export const DATA = ["data/one-node", "data/shared"] as const;

/** Everything there is, optional components included; only the tests render it. */
export const EVERYTHING = "../test/everything";

/** The same in another namespace. */
export const ELSEWHERE = "../test/elsewhere";

/** Why nothing can be rendered here, if so. */
export const RENDERER_MISSING = missingRenderer();

const rendered = new Map<string, Manifest[]>();

/** Objects of a kustomization as `kubectl kustomize` renders them, once. */
export function render(path: string): Manifest[] {
  const manifests = rendered.get(path) ?? renderNow(path);
  rendered.set(path, manifests);
  return manifests;
}

/** An overlay beside ours, of which a kustomization of that text or those fields is made; gone with it. */
export function overlayOf(kustomization: string | object) {
  const folder = mkdtempSync(
    fileURLToPath(new URL("../kustomize/overlays/mine-", import.meta.url)),
  );
  const text =
    typeof kustomization === "string"
      ? kustomization
      : JSON.stringify({ ...KIND, ...kustomization });
  writeFileSync(join(folder, "kustomization.yaml"), text);
  return {
    folder,
    /** For `render`. */
    path: `overlays/${basename(folder)}`,
    [Symbol.dispose]: () => rmSync(folder, { recursive: true }),
  };
}

const KIND = { apiVersion: "kustomize.config.k8s.io/v1beta1", kind: "Kustomization" };

function renderNow(path: string): Manifest[] {
  const directory = fileURLToPath(new URL(`../kustomize/${path}`, import.meta.url));
  const { status, stdout, stderr } = spawnSync("kubectl", ["kustomize", directory], {
    encoding: "utf8",
    maxBuffer: 2 ** 26,
  });
  if (status !== 0) throw new Error(`kubectl kustomize ${directory}: ${stderr}`);
  return parseAllDocuments(stdout).map((document) => document.toJS() as Manifest);
}

/** `kubectl kustomize` has known components since kubectl 1.21. */
function missingRenderer(): string | undefined {
  const { status, stdout } = spawnSync("kubectl", ["version", "--client", "-o", "json"], {
    encoding: "utf8",
  });
  if (status !== 0) return "kubectl is not installed: nothing was rendered";
  const { clientVersion } = JSON.parse(stdout) as { clientVersion: { minor: string } };
  const minor = Number.parseInt(clientVersion.minor, 10);
  return minor >= 21
    ? undefined
    : `kubectl 1.${minor} is too old: 1.21 or later renders these files`;
}

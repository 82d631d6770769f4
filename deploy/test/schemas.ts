// What API servers of two releases of Kubernetes, and the operators whose kinds we use, know. Fields
// come from type declarations: kubernetes-types has those of 1.29, kubernetes-models those of 1.36,
// @kubernetes-models/* those of KEDA, cert-manager, the Gateway API and the Prometheus operator. Values
// (formats, ranges, patterns) are checked by the validators of the latter packages.
import { typeProblems, type Declared } from "./types.js";

/** The releases of Kubernetes that every file is checked against: the oldest we name, and the newest known here. */
export const RELEASES = ["1.29", "1.36"] as const;

/** One Kubernetes object, as rendered. */
export interface Manifest {
  apiVersion: string;
  kind: string;
  metadata: { name: string; namespace?: string; labels?: Record<string, string> };
  [field: string]: unknown;
}

/**
 * Problems of objects, one sentence each, beginning with the release; none when all are right. A field
 * that the release does not know is a problem, and so is null: an API server drops the one without a word
 * and takes the other for nothing.
 */
export async function schemaProblems(manifests: readonly Manifest[]): Promise<string[]> {
  const types = RELEASES.flatMap((release) =>
    typeProblems(manifests.map((manifest) => declared(release, manifest))).map(
      (problem) => `${release}: ${problem}`,
    ),
  );
  return [...types, ...(await Promise.all(manifests.map(valueProblems))).flat()];
}

/** Packages that declare kinds of others than Kubernetes, by the API's group. */
const OPERATORS: Record<string, string> = {
  "keda.sh": "@kubernetes-models/keda",
  "cert-manager.io": "@kubernetes-models/cert-manager",
  "gateway.networking.k8s.io": "@kubernetes-models/gateway-api",
  "monitoring.coreos.com": "@kubernetes-models/prometheus-operator",
};

function modelsModule(apiVersion: string): string {
  const [group = ""] = apiVersion.split("/");
  return `${OPERATORS[group] ?? "kubernetes-models"}/${apiVersion}`;
}

function declared(release: (typeof RELEASES)[number], manifest: Manifest): Declared {
  const { apiVersion, kind, metadata } = manifest;
  const name = `${kind} ${metadata.name}`;
  const [group = "", version] = apiVersion.split("/");
  if (release === "1.36" || group in OPERATORS) {
    return { name, module: modelsModule(apiVersion), type: `I${kind}`, value: manifest };
  }
  const folder = version === undefined ? "core/v1" : `${group.split(".")[0]}/${version}`;
  return { name, module: `kubernetes-types/${folder}`, type: kind, value: manifest };
}

/** A model checks the object that it was made of. */
type Model = new (data: object) => { validate(): void };

async function valueProblems(manifest: Manifest): Promise<string[]> {
  const { apiVersion, kind, metadata } = manifest;
  const models = await (import(modelsModule(apiVersion)) as Promise<Record<string, Model>>).catch(
    () => ({}) as Record<string, Model>,
  );
  const ModelOf = models[kind];
  if (!ModelOf) return [`${kind} ${metadata.name}: no schema for ${apiVersion}/${kind}`];
  try {
    new ModelOf(manifest).validate();
    return [];
  } catch (error) {
    return [`${kind} ${metadata.name}: ${(error as Error).message}`];
  }
}

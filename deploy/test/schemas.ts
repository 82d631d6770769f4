// The Kubernetes and KEDA JSON schemas of npm's kubernetes-models and @kubernetes-models/keda, made
// strict. Release 4.3 of the former is the last that carries schemas rather than compiled
// validators; they are those of Kubernetes 1.27, and what 1.27 knows later releases know.
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { Ajv, type ErrorObject, type ValidateFunction } from "ajv";

const require = createRequire(import.meta.url);

/** A JSON schema, as far as it matters here. */
interface Schema {
  [keyword: string]: unknown;
  type?: string;
  properties?: Record<string, Schema>;
  oneOf?: Schema[];
}

/** One Kubernetes object, as rendered. */
export interface Manifest {
  apiVersion: string;
  kind: string;
  metadata: { name: string; namespace?: string; labels?: Record<string, string> };
  [field: string]: unknown;
}

/** Where the packages keep the schema of a kind: file, and the id it registers. */
const KINDS: Record<string, { file: string; id: string }> = {
  "v1/ConfigMap": core("ConfigMap"),
  "v1/Namespace": core("Namespace"),
  "v1/PersistentVolumeClaim": core("PersistentVolumeClaim"),
  "v1/Pod": core("Pod"),
  "v1/Service": core("Service"),
  "v1/ServiceAccount": core("ServiceAccount"),
  "apps/v1/Deployment": kubernetes("apps.v1.Deployment"),
  "apps/v1/StatefulSet": kubernetes("apps.v1.StatefulSet"),
  "batch/v1/Job": kubernetes("batch.v1.Job"),
  "policy/v1/PodDisruptionBudget": kubernetes("policy.v1.PodDisruptionBudget"),
  "networking.k8s.io/v1/NetworkPolicy": kubernetes("networking.v1.NetworkPolicy"),
  "keda.sh/v1alpha1/ScaledObject": {
    file: "@kubernetes-models/keda/keda.sh/v1alpha1/ScaledObject",
    id: "keda.sh.v1alpha1.ScaledObject",
  },
};

function core(kind: string) {
  return kubernetes(`core.v1.${kind}`);
}

function kubernetes(name: string) {
  const pascal = name.replace(/(^|\.)(\w)/g, (_, _dot, letter: string) => letter.toUpperCase());
  return { file: `kubernetes-models/_schemas/IoK8sApi${pascal}.js`, id: `io.k8s.api.${name}` };
}

/** Problems of one object by its schema, one sentence each; none when it is right. */
export function schemaProblems(manifest: Manifest): string[] {
  const key = `${manifest.apiVersion}/${manifest.kind}`;
  const validate = validators()[key];
  if (!validate) return [`${key}: no schema for this kind; name it in deploy/test/schemas.ts`];
  if (validate(manifest)) return [];
  return (validate.errors ?? []).map((error) => `${key} ${manifest.metadata.name}: ${say(error)}`);
}

function say({ instancePath, message, params }: ErrorObject): string {
  return `${instancePath || "/"} ${message} ${JSON.stringify(params)}`;
}

let compiled: Record<string, ValidateFunction> | undefined;

function validators(): Record<string, ValidateFunction> {
  compiled ??= compile();
  return compiled;
}

function compile(): Record<string, ValidateFunction> {
  const ajv = new Ajv({ allErrors: true, strict: false, formats: FORMATS });
  for (const [id, schema] of collectSchemas()) ajv.addSchema(strict(schema), id);
  return Object.fromEntries(
    Object.entries(KINDS).map(([key, { id }]) => [key, ajv.getSchema(id) as ValidateFunction]),
  );
}

/** The packages hand their schemas to `register` of one module; here it only collects them. */
function collectSchemas(): Map<string, Schema> {
  const schemas = new Map<string, Schema>();
  const registry = require("@kubernetes-models/validate") as Record<string, unknown>;
  const original = registry["register"];
  registry["register"] = (id: string, schema: Schema) => schemas.set(id, schema);
  try {
    for (const { file } of Object.values(KINDS)) {
      const loaded = require(fileOf(file)) as { addSchema?: () => void };
      loaded.addSchema?.();
    }
  } finally {
    registry["register"] = original;
  }
  return schemas;
}

/** The packages' `exports` hide their schema files, so by path. */
function fileOf(file: string): string {
  const [scope = "", name = ""] = file.split("/");
  const packageName = scope.startsWith("@") ? `${scope}/${name}` : scope;
  const directory = dirname(require.resolve(packageName));
  return join(directory, file.slice(packageName.length + 1));
}

const MAX_INT32 = 2 ** 31;
const FORMATS = {
  int32: { type: "number" as const, validate: (n: number) => Math.abs(n) <= MAX_INT32 },
  int64: { type: "number" as const, validate: Number.isSafeInteger },
  double: true as const,
  byte: /^[A-Za-z0-9+/]*={0,2}$/,
  "date-time": /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d/,
  quantity: /^[+-]?(\d+|\d+\.\d*|\.\d+)([KMGTPE]i|[numkMGTPE]|[eE][+-]?\d+)?$/,
  string: true as const,
};

/**
 * No field that the schema does not name, and no null where a value is meant: an API server drops
 * the one without a word and takes the other for nothing.
 */
function strict(schema: Schema): Schema {
  const [only, nothing] = schema.oneOf ?? [];
  if (only && nothing?.type === "null") return strict(only);
  const { nullable: _, ...rest } = schema;
  const inner = Object.fromEntries(Object.entries(rest).map(([key, value]) => [key, deep(value)]));
  const closed = schema.properties !== undefined && !("additionalProperties" in schema);
  return closed ? { ...inner, additionalProperties: false } : inner;
}

function deep(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(deep);
  if (typeof value !== "object" || value === null) return value;
  const entries = Object.entries(value);
  const isSchema = ["type", "$ref", "oneOf", "properties"].some((key) => key in value);
  if (isSchema && !isPropertyMap(value)) return strict(value as Schema);
  return Object.fromEntries(entries.map(([key, entry]) => [key, deep(entry)]));
}

/** A map of fields may have a field named `type`, whose value is then a schema, not a string. */
function isPropertyMap(value: object): boolean {
  return "type" in value && typeof value.type !== "string";
}

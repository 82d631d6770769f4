// The Kubernetes and KEDA JSON schemas of npm's kubernetes-models and @kubernetes-models/keda, made
// strict. Release 4.3 of the former is the last that carries schemas rather than compiled
// validators; they are those of Kubernetes 1.27, and what 1.27 knows later releases know.
import { createRequire } from "node:module";
import { Ajv, type ErrorObject, type ValidateFunction } from "ajv";

/** CommonJS, on purpose: ES modules could not be told to register elsewhere. */
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

/** Problems of one object by its schema, one sentence each; none when it is right. */
export function schemaProblems(manifest: Manifest): string[] {
  const { apiVersion, kind, metadata } = manifest;
  const validate = validatorOf(apiVersion, kind);
  if (!validate) return [`${apiVersion}/${kind}: no schema for this kind`];
  if (validate(manifest)) return [];
  return (validate.errors ?? []).map((error) => `${kind} ${metadata.name}: ${say(error)}`);
}

function say({ instancePath, message, params }: ErrorObject): string {
  return `${instancePath || "/"} ${message} ${JSON.stringify(params)}`;
}

const ajv = new Ajv({ allErrors: true, strict: false });

function validatorOf(apiVersion: string, kind: string): ValidateFunction | undefined {
  const id = registerSchemas(apiVersion, kind);
  return id === undefined ? undefined : ajv.getSchema(id);
}

/** What the packages export for a kind: an object of it that can check itself. */
type Model = new () => { validate(): void };

/**
 * Takes over the schemas that a kind's model registers when it is asked to check an object, strict.
 * Returns the id of the kind's own.
 */
function registerSchemas(apiVersion: string, kind: string): string | undefined {
  const Model = modelOf(apiVersion, kind);
  if (!Model) return undefined;
  let kindId: string | undefined;
  const registry = require("@kubernetes-models/validate") as Record<string, unknown>;
  const original = { ...registry };
  registry["register"] = (id: string, schema: Schema) => {
    if (!ajv.getSchema(id)) ajv.addSchema(strict(schema), id);
  };
  registry["validate"] = (id: string) => (kindId = id);
  try {
    new Model().validate();
  } finally {
    Object.assign(registry, original);
  }
  return kindId;
}

function modelOf(apiVersion: string, kind: string): Model | undefined {
  const owner = apiVersion.startsWith("keda.sh/") ? "@kubernetes-models/keda" : "kubernetes-models";
  try {
    return (require(`${owner}/${apiVersion}`) as Record<string, Model>)[kind];
  } catch {
    return undefined;
  }
}

for (const [name, format] of Object.entries({
  int32: { type: "number" as const, validate: (n: number) => Math.abs(n) < 2 ** 31 },
  int64: { type: "number" as const, validate: Number.isSafeInteger },
  double: true as const,
  byte: /^[A-Za-z0-9+/]*={0,2}$/,
  "date-time": /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d/,
  quantity: /^[+-]?(\d+|\d+\.\d*|\.\d+)([KMGTPE]i|[numkMGTPE]|[eE][+-]?\d+)?$/,
  string: true as const,
})) {
  ajv.addFormat(name, format);
}

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

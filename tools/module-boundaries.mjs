// Who may import whom: the one table behind the lint rule. Every project names itself by its nx tags
// (`type:…`, `name:…`) in package.json; a project also has to declare what it imports there.
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";

const PLATFORM = [
  "core",
  "fields",
  "contracts",
  "config",
  "telemetry",
  "rpc",
  "client",
  "bus",
  "service-kit",
  "environments",
];
const ML = [
  ...["core", "fields", "checkpoint", "registry", "report", "tokenizer"],
  ...[
    "tensor-native",
    "tensor-xla",
    "tensor",
    "data",
    "model",
    "runs",
    "learn",
    "ppo",
    "eval",
    "world",
  ],
];

/**
 * Project types and the libraries they may import; within an ordered list only those further left.
 * Services never import services: they meet in proto. The gateway, the public edge, does no ML, and
 * neither does the supervisor of services, `cluster`.
 * @type {Readonly<Record<string, { libs: readonly string[], ordered: boolean, services?: boolean }>>}
 */
export const MAY_IMPORT = {
  core: { libs: [], ordered: true },
  contracts: { libs: PLATFORM, ordered: true },
  platform: { libs: PLATFORM, ordered: true },
  store: { libs: ["core", "fields", "contracts"], ordered: false },
  registry: { libs: ["core", "checkpoint"], ordered: false },
  report: { libs: ["core", "checkpoint"], ordered: false },
  ml: { libs: ML, ordered: true },
  weights: { libs: [...PLATFORM, "checkpoint", "registry"], ordered: false },
  service: { libs: [...PLATFORM, ...ML, "weights", "model-store"], ordered: false },
  edge: { libs: [...PLATFORM, "checkpoint", "registry", "report", "model-store"], ordered: false },
  testing: { libs: [...PLATFORM, "checkpoint", "tensor-xla"], ordered: false, services: true },
  harness: { libs: [...PLATFORM, ...ML, "weights", "testing"], ordered: false },
  cluster: { libs: [...PLATFORM, "checkpoint"], ordered: false, services: true },
  pipeline: {
    libs: [...PLATFORM, ...ML, "weights", "model-store", "cluster"],
    ordered: false,
    services: true,
  },
  app: {
    libs: [...PLATFORM, ...ML, "weights", "model-store", "cluster", "pipeline"],
    ordered: false,
    services: true,
  },
  tools: { libs: [], ordered: false },
};

/**
 * Packages with a door: only the named projects import them, everybody else uses those projects.
 * @type {readonly { pattern: string, projects: readonly string[], instead: string }[]}
 */
export const DOORS = [
  { pattern: "@grpc/", projects: ["rpc", "contracts"], instead: "@stagecraft/rpc" },
  { pattern: "nats($|/)", projects: ["bus"], instead: "@stagecraft/bus" },
  { pattern: "@nats-io/", projects: ["bus"], instead: "@stagecraft/bus" },
  { pattern: "@tensorflow/", projects: ["tensor"], instead: "`tf` of @stagecraft/tensor" },
  { pattern: "@opentelemetry/", projects: ["telemetry"], instead: "@stagecraft/telemetry" },
  { pattern: "(pino|prom-client)($|/)", projects: ["telemetry"], instead: "@stagecraft/telemetry" },
];

/** The only project that reads environment variables. */
export const ENVIRONMENT_READER = "config";

/**
 * @typedef {object} Project
 * @property {string} dir relative to the root, such as `libs/core`
 * @property {string} name the nx `name:` tag, such as `core` or `service-policy`
 * @property {string} type the nx `type:` tag
 * @property {readonly string[]} dependencies declared @stagecraft packages without the scope
 */

/**
 * @param {string} root
 * @returns {Project[]}
 */
export function readProjects(root) {
  return ["libs", "services"].flatMap((group) =>
    readdirSync(join(root, group))
      .map((folder) => `${group}/${folder}`)
      .filter((dir) => existsSync(join(root, dir, "package.json")))
      .map((dir) => readProject(root, dir)),
  );
}

/**
 * @param {string} root
 * @param {string} dir
 * @returns {Project}
 */
function readProject(root, dir) {
  const manifest = JSON.parse(readFileSync(join(root, dir, "package.json"), "utf8"));
  /** @type {string[]} */
  const tags = manifest.nx?.tags ?? [];
  const tag = (/** @type {string} */ kind) =>
    tags.find((text) => text.startsWith(`${kind}:`))?.slice(kind.length + 1);
  const [type, name] = [tag("type"), tag("name")];
  if (!type || !name || !MAY_IMPORT[type]) {
    const types = Object.keys(MAY_IMPORT).join(", ");
    throw new Error(`${dir}/package.json: nx.tags needs "name:…" and "type:…", one of ${types}`);
  }
  const dependencies = Object.keys(manifest.dependencies ?? {})
    .filter((dependency) => dependency.startsWith("@stagecraft/"))
    .map((dependency) => dependency.slice("@stagecraft/".length));
  return { dir, name, type, dependencies };
}

/**
 * The @stagecraft packages (without the scope) that a project's sources may import: those its layer
 * allows and its package.json declares.
 * @param {Project} project
 * @returns {string[]}
 */
export function allowedImports(project) {
  const { libs, ordered, services } = MAY_IMPORT[project.type] ?? { libs: [], ordered: false };
  const below =
    ordered && libs.includes(project.name) ? libs.slice(0, libs.indexOf(project.name)) : libs;
  return project.dependencies.filter(
    (name) => below.includes(name) || (services === true && name.startsWith("service-")),
  );
}

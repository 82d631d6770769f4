import { fromEnvironment } from "@stagecraft/config";
import { gatewaySchema } from "@stagecraft/service-gateway";
import { policySchema } from "@stagecraft/service-policy";
import { rewardModelSchema } from "@stagecraft/service-reward-model";
import { rolloutSchema } from "@stagecraft/service-rollout";
import { trainerSchema } from "@stagecraft/service-trainer";
import { parse } from "yaml";
import { find, variablesOf, type Workload } from "./workloads.js";
import type { Manifest } from "./schemas.js";

const SECRET = "some text of a mounted secret";

/** Our services, with the schema of their settings. */
export const SERVICES = {
  policy: policySchema,
  "reward-model": rewardModelSchema,
  rollout: rolloutSchema,
  trainer: trainerSchema,
  gateway: gatewaySchema,
};

/** A service's name. */
export type Service = keyof typeof SERVICES;

/** The settings that the tests look at, whatever else a service has. */
export interface Settings {
  port: number;
  probePort: number;
  metricsPort: number;
  graceMs: number;
  host: string;
  metricsHost: string;
  tokens: string[];
  threads?: number;
  engine?: string;
  deployment?: string;
  natsUrl?: string;
  natsReplicas?: number;
  taskAckWaitMs?: number;
  leaseMs?: number;
  natsTlsCa?: string;
  natsTlsCert?: string;
  natsTlsKey?: string;
  modelDir?: string;
  modelsCache?: string;
  models?: string[];
  modelSources?: string[];
  registry?: string;
  rewardModels?: string[];
  feedbackDir?: string;
  httpHost?: string;
  httpPort?: number;
  weightsDir?: string;
  runsDir?: string;
  policyAddress?: string;
  rewardAddress?: string;
  connectTimeoutMs?: number;
}

/** True for the pods of our services. */
export function isService(name: string): name is Service {
  return name in SERVICES;
}

/**
 * What the service in that pod would run with: its ConfigMap under its variables, by its own schema.
 * Throws for a field or a variable that the service does not know.
 */
export function settingsOf(manifests: readonly Manifest[], workload: Workload): Settings {
  const { name, container } = workload;
  if (!isService(name)) throw new Error(`${name} is none of our services`);
  const schema = SERVICES[name];
  const prefix = `STAGECRAFT_${name.replaceAll("-", "_").toUpperCase()}`;
  const own = [...variablesOf(manifests, container)]
    .filter(([variable]) => variable.startsWith("STAGECRAFT_"))
    // The content of a mounted secret is not in the manifests: some text that is long enough.
    .map(([variable, value]) =>
      variable.endsWith("_FILE")
        ? ([variable.slice(0, -"_FILE".length), SECRET] as const)
        : ([variable, value] as const),
    );
  const overrides = fromEnvironment(schema, prefix, Object.fromEntries(own));
  if (Object.keys(overrides).length !== own.length) {
    throw new Error(`${name} does not know one of ${own.map(([variable]) => variable).join(", ")}`);
  }
  return used(
    schema.parse({ ...(parse(configOf(manifests, workload)) as object), ...overrides }) as Settings,
  );
}

/** The file of its ConfigMap. */
export function configOf(manifests: readonly Manifest[], { pod }: Workload): string {
  const mapName = pod.volumes?.find((volume) => volume.name === "config")?.configMap?.name ?? "";
  const { "config.yaml": text } = find(manifests, "ConfigMap", mapName)["data"] as {
    "config.yaml": string;
  };
  return text;
}

/** Without what is set for a broker that is not named: the service is not on the bus. */
function used(settings: Settings): Settings {
  if (settings.natsUrl !== "") return settings;
  const entries = Object.entries(settings).filter(([field]) => !field.startsWith("nats"));
  return Object.fromEntries(entries) as unknown as Settings;
}

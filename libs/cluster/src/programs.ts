import { existsSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join, resolve } from "node:path";
import { kebabCase } from "@stagecraft/config";
import { StagecraftError } from "@stagecraft/core";
import { engineSettings } from "@stagecraft/fields";
import type { ClusterLayout } from "./layout.js";
import type { ResolvedOptions, ServiceName } from "./options.js";
import type { Ports } from "./ports.js";

/** A program with its arguments. */
export interface Invocation {
  program: string;
  args: string[];
}

/** A service's own flags, without where it listens. */
type Flags = Readonly<Record<string, string | number>>;

/** Throws `failed_precondition` when a service is not built. */
export function checkPrograms({ programs }: ResolvedOptions, services: readonly ServiceName[]) {
  const missing = services.map((service) => mainOf(service, programs)).find((f) => !existsSync(f));
  if (missing === undefined) return;
  throw new StagecraftError(
    "failed_precondition",
    `${missing} does not exist; run \`npm run setup\` in the repository first`,
  );
}

/** How a service's process is started. */
export function serviceInvocation(
  service: ServiceName,
  name: string,
  { port, metricsPort, natsUrl, options, layout }: InvocationContext,
): Invocation {
  const flags: Flags = {
    port,
    metricsPort,
    graceMs: options.graceMs,
    ...ownFlags(service, name, { natsUrl, options, layout }),
    ...options.flags[service],
  };
  return {
    program: process.execPath,
    args: [
      "--import",
      clusterMark(layout.dir, options.graceMs),
      mainOf(service, options.programs),
      ...Object.entries(flags).flatMap(([field, value]) => [`--${kebabCase(field)}`, `${value}`]),
    ],
  };
}

export interface InvocationContext extends Ports {
  natsUrl: string;
  options: ResolvedOptions;
  layout: ClusterLayout;
}

function ownFlags(
  service: ServiceName,
  name: string,
  { natsUrl, options, layout }: Omit<InvocationContext, keyof Ports>,
): Flags {
  const bus = { natsUrl, deployment: options.deployment };
  const engine = engineSettings(options);
  switch (service) {
    case "policy":
      return {
        ...bus,
        ...engine,
        modelDir: resolve(options.policyModelDir),
        weightsDir: layout.weights,
      };
    case "reward-model":
      return { ...engine, models: JSON.stringify(rewardModels(options)) };
    case "rollout":
      return {
        ...bus,
        workerId: name,
        policyAddress: `file:${layout.addressesOf("policy")}`,
        rewardAddress: `file:${layout.addressesOf("reward-model")}`,
        rewardModels: JSON.stringify([
          "=1",
          ...options.rewardModels.map((entry) => `${entry.split("=")[0]}=0`),
        ]),
      };
    case "trainer":
      return {
        ...bus,
        ...engine,
        runsDir: resolve(options.runsDir),
        readDirs: JSON.stringify(readDirs(options)),
        weightsDir: layout.weights,
      };
    case "gateway":
      return {
        feedbackDir: layout.feedback,
        httpPort: options.pagesPort,
        models: JSON.stringify([`assistant=file:${layout.addressesOf("policy")}`]),
        rewardModels: JSON.stringify([`reward=file:${layout.addressesOf("reward-model")}`]),
        runsDirs: JSON.stringify([resolve(options.runsDir)]),
        trainerAddress: `file:${layout.addressesOf("trainer")}`,
      };
  }
}

/** Any process of this machine can call the trainer: its runs read what the user named, no more. */
function readDirs(options: ResolvedOptions): string[] {
  const models = rewardModels(options).map((entry) => entry.slice(entry.indexOf("=") + 1));
  return [...options.readDirs, options.policyModelDir, ...models].map((dir) => resolve(dir));
}

function rewardModels({ rewardModelDir, rewardModels }: ResolvedOptions): string[] {
  const further = rewardModels.map((entry) => {
    const at = entry.indexOf("=");
    return `${entry.slice(0, at)}=${resolve(entry.slice(at + 1))}`;
  });
  return [`reward=${resolve(rewardModelDir)}`, ...further];
}

function mainOf(service: ServiceName, programs: ResolvedOptions["programs"]): string {
  const own = createRequire(import.meta.url).resolve(`@stagecraft/service-${service}/package.json`);
  return programs[service] ?? join(dirname(own), "dist", "main.js");
}

/** Stands in the command line of every service of a cluster, and of no other. */
export function clusterMark(dir: string, graceMs: number): string {
  const url = new URL("../bin/cluster-child.mjs", import.meta.url);
  url.searchParams.set("graceMs", String(graceMs));
  url.searchParams.set("cluster", dir);
  return url.href;
}

import type { Command } from "commander";
import { createJetStreamBus, type EventBus } from "@stagecraft/bus";
import { busOptions } from "@stagecraft/service-kit";
import { busFields, flag, text } from "@stagecraft/fields";
import { z } from "zod";
import { clusterLayout, connectControl } from "@stagecraft/cluster";
import { addClusterFlags, clusterDirOf, type ClusterFlags } from "../commands/cluster-flags.js";
import { addConfigFlags, readConfig } from "./config-flags.js";

const DEFAULT_URL = "nats://127.0.0.1:4222";
const DEFAULT_DEPLOYMENT = "main";

const schema = z.strictObject({
  ...busFields,
  natsUrl: text("").describe(
    `NATS servers, by comma; empty = the cluster that is up here, else ${DEFAULT_URL}`,
  ),
  deployment: z
    .string()
    .regex(/^[A-Za-z0-9_-]{0,48}$/)
    .default("")
    .describe(`Deployment's name on the bus; empty = that cluster's, else ${DEFAULT_DEPLOYMENT}`),
  allowPlaintext: flag(false).describe("Plaintext beyond loopback"),
});

/** Where the bus is, and how to get onto it. */
export type BusConfig = z.infer<typeof schema>;

/** Adds what is needed to reach a bus, of a cluster on this machine or any other. */
export function addBusFlags(command: Command): Command {
  addConfigFlags(addClusterFlags(command), schema);
  return command;
}

/** The flags' settings; `STAGECRAFT_NATS_URL` and the like count too, for secrets. */
export async function readBusConfig(command: Command): Promise<BusConfig> {
  const config = (await readConfig(schema, command, "STAGECRAFT")) as BusConfig;
  if (config.natsUrl !== "")
    return { ...config, deployment: config.deployment || DEFAULT_DEPLOYMENT };
  const layout = clusterLayout(clusterDirOf(command.opts<ClusterFlags>()));
  const status = await connectControl(layout)
    .status()
    .catch(() => undefined);
  const natsUrl = status?.addresses.nats ?? DEFAULT_URL;
  return {
    ...config,
    natsUrl,
    deployment: config.deployment || (status?.deployment ?? DEFAULT_DEPLOYMENT),
  };
}

/** Connects; throws `unavailable` naming the address. */
export function openBus(config: BusConfig): Promise<EventBus> {
  return createJetStreamBus({ ...busOptions(config), name: "stagecraft" });
}

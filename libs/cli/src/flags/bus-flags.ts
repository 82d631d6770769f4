import type { Command } from "commander";
import { createJetStreamBus, type EventBus } from "@stagecraft/bus";
import { busFields, busOptions } from "@stagecraft/service-kit";
import { z } from "zod";
import { clusterLayout, connectControl } from "@stagecraft/cluster";
import { addClusterFlags, clusterDirOf, type ClusterFlags } from "../commands/cluster-flags.js";
import { addConfigFlags, readConfig } from "./config-flags.js";

const DEFAULT_URL = "nats://127.0.0.1:4222";
const DEFAULT_RUN = "main";

const schema = z.strictObject({
  ...busFields,
  natsUrl: z
    .string()
    .default("")
    .describe(`NATS servers, by comma; empty = the cluster that is up here, else ${DEFAULT_URL}`),
  run: z
    .string()
    .regex(/^[A-Za-z0-9_-]{0,48}$/)
    .default("")
    .describe(`Deployment's name on the bus; empty = that cluster's, else ${DEFAULT_RUN}`),
  allowPlaintext: z.boolean().default(false).describe("Plaintext beyond loopback"),
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
  if (config.natsUrl !== "") return { ...config, run: config.run || DEFAULT_RUN };
  const layout = clusterLayout(clusterDirOf(command.opts<ClusterFlags>()));
  const status = await connectControl(layout)
    .status()
    .catch(() => undefined);
  const natsUrl = status?.addresses.nats ?? DEFAULT_URL;
  return { ...config, natsUrl, run: config.run || (status?.run ?? DEFAULT_RUN) };
}

/** Connects; throws `unavailable` naming the address. */
export function openBus(config: BusConfig): Promise<EventBus> {
  return createJetStreamBus({ ...busOptions(config), name: "stagecraft" });
}

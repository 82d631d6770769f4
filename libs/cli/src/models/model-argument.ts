import type { Command } from "commander";
import { loadConfig, UsageError } from "@stagecraft/config";
import {
  isModelUrl,
  localModel,
  modelStoreFields,
  type LocalModelOptions,
  type StoreSettings,
} from "@stagecraft/model-store";
import { busFields, flag } from "@stagecraft/fields";
import { z } from "zod";
import type { CommandScope } from "../app/command.js";
import { addConfigFlags, readConfig } from "../flags/config-flags.js";
import { mergedAdapter } from "./adapter-argument.js";

const schema = z.strictObject({
  ...modelStoreFields,
  ...busFields,
  allowPlaintext: flag(false).describe("Plaintext beyond loopback"),
});

/** The flags of a store, for `models push` and `pull`. */
export function addStoreFlags(command: Command): Command {
  addConfigFlags(command, schema);
  return command;
}

/** What the flags say, `STAGECRAFT_S3_ENDPOINT` and the like where a flag says nothing. */
export async function readStoreSettings(command: Command): Promise<StoreSettings> {
  return (await readConfig(schema, command, "STAGECRAFT")) as StoreSettings;
}

/**
 * A directory for a command that takes one: the text itself; a folder of the cache for `s3://BUCKET/NAME` and
 * `nats://NAME`, whose settings are variables, `STAGECRAFT_S3_ENDPOINT` and so on; and for an adapter, one with its
 * base merged.
 */
export async function modelArgument(
  text: string,
  how: Pick<LocalModelOptions, "info" | "signal" | "earlier">,
): Promise<string> {
  if (!isModelUrl(text)) {
    return (await mergedAdapter(text, { ...how, settings: storeVariables })) ?? text;
  }
  return localModel(text, { ...how, settings: await storeVariables() });
}

/** The store's settings by variables alone. */
export async function storeVariables(): Promise<StoreSettings> {
  const settings = await UsageError.wrap(async () => {
    return (await loadConfig(schema, { flags: {}, environmentPrefix: "STAGECRAFT" })).config;
  });
  return settings as StoreSettings;
}

/** Where a command tells what it brings: beside its output. */
export function whereTo({ io, signal }: Pick<CommandScope, "io" | "signal">) {
  return { info: (text: string) => void io.err.write(`${text}\n`), signal };
}

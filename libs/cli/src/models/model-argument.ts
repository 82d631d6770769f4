import type { Command } from "commander";
import { loadConfig, UsageError } from "@stagecraft/config";
import {
  isModelUrl,
  localModel,
  modelStoreFields,
  type StoreSettings,
} from "@stagecraft/model-store";
import type { StageDefinition } from "@stagecraft/runs";
import { busFields } from "@stagecraft/service-kit";
import { flag } from "@stagecraft/fields";
import { z } from "zod";
import type { CommandScope } from "../app/command.js";
import { addConfigFlags, readConfig } from "../flags/config-flags.js";

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
 * A directory for a command that takes one: the text itself, or a folder of the cache for `s3://BUCKET/NAME`
 * and `nats://NAME`. The store's settings are variables, `STAGECRAFT_S3_ENDPOINT` and so on.
 */
export async function modelArgument(
  text: string,
  { info, signal }: { info(text: string): void; signal: AbortSignal },
): Promise<string> {
  if (!isModelUrl(text)) return text;
  const settings = await UsageError.wrap(async () => {
    return (await loadConfig(schema, { flags: {}, environmentPrefix: "STAGECRAFT" })).config;
  });
  return localModel(text, { settings: settings as StoreSettings, info, signal });
}

/** Where a command tells what it brings: beside its output. */
export function whereTo({ io, signal }: Pick<CommandScope, "io" | "signal">) {
  return { info: (text: string) => void io.err.write(`${text}\n`), signal };
}

/** The stage, with models that its configuration names in an object store brought here when it runs. */
export function withModelUrls<C>(stage: StageDefinition<C>): StageDefinition<C> {
  const { inputs, problems } = stage;
  return {
    ...stage,
    ...(inputs && {
      inputs: (config: C) => inputs(config).filter(({ path }) => urlIn(path) === undefined),
    }),
    // Of a model that is not here yet nothing can be said; the stage itself looks again.
    ...(problems && {
      problems: async (config: C, ahead: Parameters<typeof problems>[1]) =>
        urlsOf(config).length > 0 ? [] : problems(config, ahead),
    }),
    async run(config, context) {
      const dirs = new Map<string, string>();
      const { signal, reporter } = context;
      const info = (text: string) => reporter.info(text);
      for (const url of urlsOf(config)) dirs.set(url, await modelArgument(url, { info, signal }));
      return stage.run(dirs.size === 0 ? config : replaced(config, dirs), context);
    },
  };
}

/** The URL in `URL` or `NAME=URL`. */
function urlIn(text: unknown): string | undefined {
  if (typeof text !== "string") return undefined;
  const url = text.replace(/^[^:/=]+=/, "");
  return isModelUrl(url) ? url : undefined;
}

function urlsOf(config: unknown): string[] {
  const values = Object.values(config as object).flat() as unknown[];
  return [...new Set(values.map(urlIn).filter((url) => url !== undefined))];
}

function replaced<C>(config: C, dirs: ReadonlyMap<string, string>): C {
  const change = (value: unknown): unknown => {
    if (Array.isArray(value)) return value.map(change);
    const url = urlIn(value);
    return url === undefined ? value : (value as string).replace(url, () => dirs.get(url)!);
  };
  const entries = Object.entries(config as object).map(([name, value]) => [name, change(value)]);
  return Object.fromEntries(entries) as C;
}

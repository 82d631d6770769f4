import type { z } from "zod";
import { describeConfig, type ConfigSchema } from "./describe.js";
import { fromEnvironment, variableName, type Environment } from "./environment.js";
import { loadConfigFile } from "./load-file.js";
import { parseConfig } from "./parse.js";

/** Where values may come from; a later one wins field by field: file, environment, flags. */
export interface ConfigLayers {
  /** YAML or JSON. */
  file?: string | undefined;
  /** Variables `<PREFIX>_<FIELD_NAME>`. */
  environmentPrefix?: string;
  /** Default this process's. */
  environment?: Environment;
  /** Already read from text (`parseText`), by field name; undefined ones count as absent. */
  flags?: Readonly<Record<string, unknown>>;
}

export interface LoadedConfig<T> {
  config: Readonly<T>;
  /** Field → where its value came from; fields at their default are absent. */
  origins: ReadonlyMap<string, string>;
}

/** One config from all layers; problems name the layer each value came from. Throws as parseConfig. */
export async function loadConfig<S extends ConfigSchema>(
  schema: S,
  layers: ConfigLayers,
): Promise<LoadedConfig<z.output<S>>> {
  const values: Record<string, unknown> = {};
  const origins = new Map<string, string>();
  const take = (layer: Readonly<Record<string, unknown>>, origin: (name: string) => string) => {
    for (const [name, value] of Object.entries(layer)) {
      if (value === undefined) continue;
      values[name] = value;
      origins.set(name, origin(name));
    }
  };
  const file = layers.file === undefined ? undefined : await loadConfigFile(layers.file);
  if (file) take(file.values, (name) => file.locate([name]));
  const { environmentPrefix: prefix } = layers;
  if (prefix !== undefined) {
    const layer = fromEnvironment(schema, prefix, layers.environment);
    take(layer, (name) => variableName(prefix, name));
  }
  const flags = new Map(describeConfig(schema).map(({ name, flag }) => [name, flag]));
  take(layers.flags ?? {}, (name) => flags.get(name) ?? name);
  const fromFile = (name: string) => origins.get(name)?.startsWith(`${file?.path}:`) === true;
  const config = parseConfig(schema, values, {
    source: layers.file ?? "config",
    locate: (path) => {
      const name = String(path[0]);
      return file && fromFile(name) ? file.locate(path) : origins.get(name);
    },
  });
  return { config, origins };
}

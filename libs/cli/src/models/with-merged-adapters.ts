import { isModelUrl } from "@stagecraft/model-store";
import { mergedAdapter, type MergedAdapterOptions } from "./adapter-argument.js";
import { storeVariables } from "./model-argument.js";
import { pathsOf, withPaths } from "./named-paths.js";

/** A stage's configuration with each adapter that it names merged with its base, so that it is read like a model. */
export async function withMergedAdapters<C>(
  config: C,
  how: Pick<MergedAdapterOptions, "info" | "signal">,
): Promise<C> {
  const dirs = new Map<string, string>();
  for (const path of pathsOf(config)) {
    if (path === "" || isModelUrl(path)) continue;
    const merged = await mergedAdapter(path, { ...how, settings: storeVariables });
    if (merged !== undefined) dirs.set(path, merged);
  }
  return dirs.size === 0 ? config : withPaths(withNames(config, dirs), dirs);
}

/** Lists of models take names: an entry without one is called as it was given, not as its merged copy. */
function withNames<C>(config: C, dirs: ReadonlyMap<string, string>): C {
  const named = (entry: unknown) =>
    typeof entry === "string" && dirs.has(entry) ? `${nameOf(entry)}=${entry}` : entry;
  const entries = Object.entries(config as object).map(([field, value]: [string, unknown]) => [
    field,
    Array.isArray(value) ? value.map(named) : value,
  ]);
  return Object.fromEntries(entries) as C;
}

/** A path as a name, in which no slash, colon or equals sign may stand: `runs/lora` → `runs_lora`. */
const nameOf = (path: string) =>
  path.replace(/^(\.?[\\/])+|[\\/]+$/g, "").replace(/[\\/:=]+/g, "_") || "adapter";

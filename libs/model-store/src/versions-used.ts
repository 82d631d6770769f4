import { basename } from "node:path";
import { isModelUrl, parseModelUrl, type ModelUrl } from "./model-url.js";

/** Name of the folder of a cache that holds a version of a model. */
export function cacheFolder({ name, version }: ModelUrl): string {
  return `${name.replaceAll("/", "_")}-${version}`;
}

/**
 * The versions, by URL, that a run used for the models that its configuration names without one: by the folders
 * that stand in the run's record in the same fields, and in the same places of a list.
 */
export function versionsUsed(config: object, record: object | undefined): Map<string, string> {
  const found = new Map<string, string>();
  const recorded = new Map<string, unknown>(Object.entries(record ?? {}));
  for (const [field, value] of Object.entries(config)) {
    const before = listOf(recorded.get(field));
    listOf(value).forEach((text, i) => {
      const url = String(text).replace(/^[^:/=]+=/, ""); // of NAME=URL
      const version = isModelUrl(url) ? versionOf(url, String(before[i])) : undefined;
      if (version !== undefined && !found.has(url)) found.set(url, version);
    });
  }
  return found;
}

const listOf = (value: unknown): unknown[] => (Array.isArray(value) ? value : [value]);

/** Undefined for another model's folder, and for a URL that says its version itself. */
function versionOf(text: string, folder: string): string | undefined {
  const version = /-([0-9a-f]{16})$/.exec(folder)?.[1];
  if (version === undefined) return undefined;
  const url = parseModelUrl(text);
  const isUsed = url.version === undefined && basename(folder) === cacheFolder({ ...url, version });
  return isUsed ? version : undefined;
}

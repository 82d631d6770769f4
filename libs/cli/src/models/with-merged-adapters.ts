import { isModelUrl } from "@stagecraft/model-store";
import { mergedAdapter } from "./adapter-argument.js";
import { storeVariables } from "./model-argument.js";
import { pathsOf, withPaths } from "./named-paths.js";

/** A stage's configuration with each adapter that it names merged with its base, so that it is read like a model. */
export async function withMergedAdapters<C>(
  config: C,
  { info }: { info(text: string): void },
): Promise<C> {
  const dirs = new Map<string, string>();
  for (const path of pathsOf(config)) {
    if (path === "" || isModelUrl(path)) continue;
    const merged = await mergedAdapter(path, { settings: storeVariables, info });
    if (merged !== undefined) dirs.set(path, merged);
  }
  return dirs.size === 0 ? config : withPaths(config, dirs);
}

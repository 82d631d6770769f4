import { StagecraftError } from "@stagecraft/core";
import { parseModelUrl, parseStoreUrl } from "./model-url.js";
import { openModelStore, type StoreSettings } from "./open-store.js";
import { pushModel } from "./push.js";
import type { LocalModelOptions } from "./local-model.js";
import { openStoreRegistry } from "./store-registry.js";
import { createTransferProgress } from "./transfer-progress.js";

export interface PushResultOptions extends Pick<LocalModelOptions, "open" | "signal"> {
  settings: StoreSettings;
  /** Told how it goes, and where the model is then. */
  info(text: string): void;
}

/**
 * Puts the model that some work made under `BASE/NAME` in a store, and into the registry of BASE; returns its URL
 * with the version. Throws what went wrong with the command that does it by hand.
 */
export async function pushResult(
  dir: string,
  to: { base: string; name: string },
  { settings, open, signal, info }: PushResultOptions,
): Promise<string> {
  const url = `${to.base.replace(/\/$/, "")}/${to.name}`;
  try {
    const parsed = parseModelUrl(url);
    await using store = await (open ?? ((each) => openModelStore(each, settings)))(parsed);
    const progress = createTransferProgress(info);
    const { version } = await pushModel(store, dir, { name: parsed.name, signal, progress });
    const pushed = `${url}@${version}`;
    const registering = openStoreRegistry(store, parseStoreUrl(to.base)).add(to.name, pushed);
    const registered = await registering.catch(StagecraftError.from);
    info(
      registered instanceof StagecraftError
        ? `the model is ${pushed}; the registry at ${to.base} does not know it: ${registered.reason}`
        : `the model is ${pushed}, ${to.name}@${registered.version} of the registry at ${to.base}`,
    );
    return pushed;
  } catch (thrown) {
    const { code, reason } = StagecraftError.from(thrown);
    throw new StagecraftError(
      code,
      `the model was not pushed to ${url}: ${reason}; it is in ${dir}: "stagecraft models push ${dir} ${url}" does it by hand`,
      { cause: thrown },
    );
  }
}

import { existsSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { StagecraftError, throwIfAborted } from "@stagecraft/core";
import { localModel, type LocalModelOptions } from "./local-model.js";
import { isModelUrl } from "./model-url.js";

export interface BringModelsOptions extends Omit<LocalModelOptions, "earlier"> {
  info(text: string): void;
  /** Between looks; default 5 s. */
  everyMs?: number;
}

/**
 * Brings models of object stores into the cache and waits, saying for what, while a store is away or has none yet:
 * what prepares a server's place. A directory is waited for until it has a config.json.
 */
export async function bringModels(
  texts: readonly string[],
  options: BringModelsOptions,
): Promise<void> {
  const { info, signal, everyMs = 5000 } = options;
  for (const text of texts) {
    for (let said = ""; ;) {
      const missing = await bring(text, options);
      if (missing === undefined) break;
      if (missing !== said) info(`waiting for a model: ${missing}`);
      said = missing;
      await delay(everyMs, undefined, { signal }).catch(() => throwIfAborted(signal));
    }
  }
}

/** What is missing; undefined when the model is here. */
async function bring(text: string, options: BringModelsOptions): Promise<string | undefined> {
  if (!isModelUrl(text)) {
    return existsSync(join(text, "config.json")) ? undefined : `${text} has no config.json`;
  }
  const bringing = localModel(text, options).then(() => undefined);
  return bringing.catch((thrown: unknown) => {
    const { code, reason } = StagecraftError.from(thrown);
    if (code === "not_found" || code === "unavailable") return reason;
    throw thrown;
  });
}

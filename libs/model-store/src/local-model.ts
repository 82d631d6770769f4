import { existsSync } from "node:fs";
import { tmpdir, userInfo } from "node:os";
import { join } from "node:path";
import { privateDirectoryProblem, StagecraftError } from "@stagecraft/core";
import { formatModelUrl, isModelUrl, parseModelUrl } from "./model-url.js";
import { openModelStore, type StoreSettings } from "./open-store.js";
import { findManifest, holds, pullModel } from "./pull.js";
import type { RemoteStore } from "./remote-store.js";
import { createTransferProgress } from "./transfer-progress.js";

export interface LocalModelOptions {
  settings: StoreSettings;
  /** Told what is brought, and how it goes. */
  info?(text: string): void;
  signal?: AbortSignal | undefined;
  /** Default: by the settings. */
  open?(url: ReturnType<typeof parseModelUrl>): Promise<RemoteStore>;
}

/**
 * A directory with the model that a text names: the text itself, or, for `s3://…` and `nats://…`, a folder of
 * the cache with the version that the store has now. Every file's hash is looked at, also of what is there.
 */
export async function localModel(text: string, options: LocalModelOptions): Promise<string> {
  if (!isModelUrl(text)) return text;
  const { settings, info = () => undefined, signal } = options;
  const url = parseModelUrl(text);
  await using store = await (options.open ?? ((each) => openModelStore(each, settings)))(url);
  const manifest = await findManifest(store, url.name, url.version);
  const { version } = manifest;
  const cache = settings.modelsCache || join(tmpdir(), `stagecraft-models-${userInfo().uid}`);
  const problem = privateDirectoryProblem(cache);
  // One that somebody names is his affair: a volume of a cluster has other rights.
  if (problem !== undefined && settings.modelsCache === "") throw foreignCache(cache, problem);
  const dir = join(cache, `${url.name.replaceAll("/", "_")}-${version}`);
  const named = formatModelUrl({ ...url, version });
  if (existsSync(dir) && (await holds(dir, manifest, signal))) {
    info(`${named} is in ${dir}`);
    return dir;
  }
  info(`loading ${named}`);
  const progress = createTransferProgress(info);
  await pullModel(store, dir, { name: url.name, version, overwrite: true, signal, progress });
  return dir;
}

function foreignCache(cache: string, problem: string): StagecraftError {
  return new StagecraftError(
    "failed_precondition",
    `${cache} ${problem}: models are not kept there; remove it, or name a folder of yours by modelsCache`,
    { details: { field: "modelsCache" } },
  );
}

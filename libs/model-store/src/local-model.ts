import { existsSync } from "node:fs";
import { tmpdir, userInfo } from "node:os";
import { join } from "node:path";
import { privateDirectoryProblem, StagecraftError } from "@stagecraft/core";
import { formatModelUrl, isModelUrl, parseModelUrl, type ModelUrl } from "./model-url.js";
import { openModelStore, type StoreSettings } from "./open-store.js";
import { findManifest, holds, pullModel } from "./pull.js";
import { newestOf } from "./push.js";
import type { RemoteStore } from "./remote-store.js";
import { createTransferProgress } from "./transfer-progress.js";
import { cacheFolder } from "./versions-used.js";

export interface LocalModelOptions {
  settings: StoreSettings;
  /** Told what is brought, and how it goes. */
  info?(text: string): void;
  signal?: AbortSignal | undefined;
  /** What names without a version meant in an earlier attempt of the same work; see `versionsUsed`. */
  earlier?: ReadonlyMap<string, string> | undefined;
  /** Default: by the settings. */
  open?(url: ReturnType<typeof parseModelUrl>): Promise<RemoteStore>;
}

/**
 * A directory with the model that a text names: the text itself, or, for `s3://…` and `nats://…`, a folder of
 * the cache with the version that the store has now, or that an earlier attempt had; a newer one is told then.
 * Every file's hash is looked at, also of what is there.
 */
export async function localModel(text: string, options: LocalModelOptions): Promise<string> {
  if (!isModelUrl(text)) return text;
  const { settings, info = () => undefined, signal } = options;
  const url = parseModelUrl(text);
  await using store = await openOf(options)(url);
  const before = url.version === undefined ? options.earlier?.get(text) : undefined;
  const manifest = await findManifest(store, url.name, url.version ?? before);
  const { version } = manifest;
  const newest = before === undefined ? undefined : await newestOf(store, url.name);
  if (newest !== undefined && newest.version !== before) {
    info(
      `${text} is @${newest.version} by now; this run goes on with @${before}, which it began with`,
    );
  }
  const dir = join(modelsFolder(settings), cacheFolder({ ...url, version }));
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

/** The version that the store has of a model named by URL. Throws `not_found` when there is none. */
export async function newestVersion(text: string, options: LocalModelOptions): Promise<string> {
  const url = parseModelUrl(text);
  await using store = await openOf(options)(url);
  return (await findManifest(store, url.name, url.version)).version;
}

const openOf = ({ open, settings }: LocalModelOptions) =>
  open ?? ((url: ModelUrl) => openModelStore(url, settings));

/** The folder where models are kept that were brought or made for a command. Throws for one that others can write. */
export function modelsFolder({ modelsCache }: Pick<StoreSettings, "modelsCache">): string {
  const cache = modelsCache || join(tmpdir(), `stagecraft-models-${userInfo().uid}`);
  const problem = privateDirectoryProblem(cache);
  // One that somebody names is his affair: a volume of a cluster has other rights.
  if (problem !== undefined && modelsCache === "") throw foreignCache(cache, problem);
  return cache;
}

function foreignCache(cache: string, problem: string): StagecraftError {
  return new StagecraftError(
    "failed_precondition",
    `${cache} ${problem}: models are not kept there; remove it, or name a folder of yours by modelsCache`,
    { details: { field: "modelsCache" } },
  );
}

import { existsSync } from "node:fs";
import { mkdir, rename, rm } from "node:fs/promises";
import { basename, dirname, join, resolve } from "node:path";
import { StagecraftError, throwIfAborted } from "@stagecraft/core";
import { hashDirectory } from "./local-files.js";
import { fileKey, manifestOf, type ModelManifest } from "./model-manifest.js";
import { pullFile } from "./pull-file.js";
import { lockTarget } from "./pull-lock.js";
import { newestOf } from "./push.js";
import type { RemoteStore } from "./remote-store.js";
import type { TransferReporter } from "./transfer-progress.js";

/** Well below what a pod has to start in: another one that is lost must not cost this one's time. */
const PATIENCE_MS = 60_000;

export interface PullOptions {
  /** Key prefix in the store. */
  name: string;
  /** Default the newest. */
  version?: string | undefined;
  /** Replace another model in the directory. Default false: refused. */
  overwrite?: boolean;
  /** How long another process that fills the directory may bring nothing and touch nothing; default a minute. */
  patienceMs?: number;
  signal?: AbortSignal | undefined;
  progress?: TransferReporter | undefined;
}

export interface Pulled {
  version: string;
  sizeBytes: number;
  /** Whether the directory held this version already. */
  wasThere: boolean;
}

/**
 * Brings a model into a directory, which is there only when every file has the hash of the manifest. What
 * comes in lies beside it, in `.NAME.VERSION.partial`, and is gone on with after an interruption. Of several
 * processes that want the same one works, and the others wait and find it whole.
 */
export async function pullModel(
  store: RemoteStore,
  dir: string,
  options: PullOptions,
): Promise<Pulled> {
  const { name, version, patienceMs = PATIENCE_MS, signal, progress } = options;
  const manifest = await findManifest(store, name, version);
  const sizeBytes = manifest.files.reduce((sum, file) => sum + file.sizeBytes, 0);
  const done = { version: manifest.version, sizeBytes };
  const target = resolve(dir);
  if (await isThere(target, manifest, options)) return { ...done, wasThere: true };
  const partial = join(dirname(target), `.${basename(target)}.${manifest.version}.partial`);
  await mkdir(dirname(target), { recursive: true });
  const say = (text: string) => progress?.say(text);
  const lock = await lockTarget(target, { partial, patienceMs, say, signal });
  try {
    if (await isThere(target, manifest, options)) return { ...done, wasThere: true };
    progress?.begin(sizeBytes);
    for (const file of manifest.files) {
      lock.check();
      progress?.file(file.name);
      const key = fileKey(name, manifest.version, file.name);
      await pullFile(store, { key, file, path: join(partial, file.name), signal, progress });
    }
    if (lock.tookOver) await checkWritten(partial, manifest, signal);
    lock.check();
    await putInPlace(partial, target, manifest.version);
    return { ...done, wasThere: false };
  } finally {
    await lock.release();
  }
}

/** Whether the directory holds the model already. Throws `already_exists` for another one, unless it may go. */
async function isThere(
  target: string,
  manifest: ModelManifest,
  { name, overwrite = false, signal }: PullOptions,
): Promise<boolean> {
  if (!existsSync(target)) return false;
  if (await holds(target, manifest, signal)) return true;
  if (overwrite) return false;
  throw isTaken(target, name, manifest.version);
}

/** Whether a directory holds exactly the files of a manifest, by their hashes. */
export async function holds(
  dir: string,
  manifest: ModelManifest,
  signal?: AbortSignal,
): Promise<boolean> {
  const files = await hashDirectory(dir, signal).catch(() => []);
  return manifestOf(files, new Date(0)).version === manifest.version;
}

/** Throws `not_found` saying what there is. */
export async function findManifest(
  store: RemoteStore,
  name: string,
  version: string | undefined,
): Promise<ModelManifest> {
  const manifest = await newestOf(store, name, version);
  if (manifest) return manifest;
  const keys = await store.list(`${name}/`);
  const what = version === undefined ? name : `${name}@${version}`;
  const why =
    keys.length === 0
      ? "there is nothing under this name"
      : `there are ${keys.length} objects, but no stagecraft.json: a push that never ended, or files that another tool put there`;
  throw new StagecraftError(
    "not_found",
    `${store.name} has no model ${what}: ${why}; "stagecraft models push DIR URL" puts one there`,
    { details: { store: store.name, name } },
  );
}

/** What came in was right; what lies there may be of one that lost its place and wrote on. */
async function checkWritten(
  partial: string,
  manifest: ModelManifest,
  signal: AbortSignal | undefined,
): Promise<void> {
  if (await holds(partial, manifest, signal)) return;
  throwIfAborted(signal);
  await rm(partial, { recursive: true, force: true });
  throw new StagecraftError(
    "data_loss",
    `${partial} is not ${manifest.version}: another process wrote to it, whose place was taken; it is removed, pull again`,
  );
}

async function putInPlace(partial: string, target: string, version: string): Promise<void> {
  const old = join(dirname(target), `.${basename(target)}.${version}.old`);
  await rm(old, { recursive: true, force: true });
  if (existsSync(target)) await rename(target, old);
  await rename(partial, target);
  await rm(old, { recursive: true, force: true });
}

function isTaken(dir: string, name: string, version: string): StagecraftError {
  return new StagecraftError(
    "already_exists",
    `${dir} is there and is not ${name}@${version}; choose another folder, or replace it with --overwrite`,
  );
}

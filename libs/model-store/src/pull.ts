import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import { mkdir, open, rename, rm, stat } from "node:fs/promises";
import { basename, dirname, join, resolve } from "node:path";
import { StagecraftError, throwIfAborted } from "@stagecraft/core";
import { hashDirectory, hashInto } from "./local-files.js";
import { fileKey, manifestOf, type ModelFile, type ModelManifest } from "./model-manifest.js";
import { newestOf } from "./push.js";
import type { RemoteStore } from "./remote-store.js";
import type { TransferReporter } from "./transfer-progress.js";

export interface PullOptions {
  /** Key prefix in the store. */
  name: string;
  /** Default the newest. */
  version?: string | undefined;
  /** Replace another model in the directory. Default false: refused. */
  overwrite?: boolean;
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
 * comes in lies beside it, in `.NAME.VERSION.partial`, and is gone on with after an interruption.
 */
export async function pullModel(
  store: RemoteStore,
  dir: string,
  { name, version, overwrite = false, signal, progress }: PullOptions,
): Promise<Pulled> {
  const manifest = await findManifest(store, name, version);
  const sizeBytes = manifest.files.reduce((sum, file) => sum + file.sizeBytes, 0);
  const done = { version: manifest.version, sizeBytes };
  const target = resolve(dir);
  if (existsSync(target)) {
    if (await holds(target, manifest, signal)) return { ...done, wasThere: true };
    if (!overwrite) throw isTaken(target, name, manifest.version);
  }
  const partial = join(dirname(target), `.${basename(target)}.${manifest.version}.partial`);
  progress?.begin(sizeBytes);
  for (const file of manifest.files) {
    progress?.file(file.name);
    const key = fileKey(name, manifest.version, file.name);
    await pullFile(store, { key, file, path: join(partial, file.name), signal, progress });
  }
  await putInPlace(partial, target, manifest.version);
  return { ...done, wasThere: false };
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

interface FileJob {
  key: string;
  file: ModelFile;
  path: string;
  signal?: AbortSignal | undefined;
  progress?: TransferReporter | undefined;
}

async function pullFile(store: RemoteStore, job: FileJob): Promise<void> {
  const { key, file, path, signal, progress } = job;
  await mkdir(dirname(path), { recursive: true });
  const present = await stat(path).then(
    ({ size }) => size,
    () => 0,
  );
  const from = present > file.sizeBytes ? 0 : present;
  const hash = createHash("sha256");
  await hashInto(hash, path, { signal, length: from });
  progress?.add(from);
  await using out = await open(path, from === 0 ? "w" : "r+");
  let at = from;
  if (at < file.sizeBytes || file.sizeBytes === 0) {
    for await (const chunk of store.download(key, from, { signal })) {
      throwIfAborted(signal);
      await out.write(chunk, 0, chunk.length, at);
      hash.update(chunk);
      at += chunk.length;
      progress?.add(chunk.length);
    }
  }
  await out.sync();
  if (at === file.sizeBytes && hash.digest("hex") === file.sha256) return;
  await rm(path, { force: true }); // or the next attempt would go on with it
  throw new StagecraftError(
    "data_loss",
    `${store.name}/${key} is not what its manifest says (${at} of ${file.sizeBytes} bytes, or another sha256); pull again, and push the model anew if it stays so`,
    { details: { key } },
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

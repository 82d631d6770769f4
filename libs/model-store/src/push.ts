import { join } from "node:path";
import { formatBytes, StagecraftError } from "@stagecraft/core";
import { hashDirectory } from "./local-files.js";
import {
  fileKey,
  manifestKey,
  manifestOf,
  readManifest,
  type ModelManifest,
} from "./model-manifest.js";
import { registeredVersions } from "./registry-list.js";
import type { RemoteStore } from "./remote-store.js";
import { lostFiles } from "./stored-model.js";
import type { TransferReporter } from "./transfer-progress.js";

export interface PushOptions {
  /** Key prefix in the store. */
  name: string;
  /** Removes the other versions of the name in the end, but those that a registry names. Default false. */
  prune?: boolean;
  signal?: AbortSignal | undefined;
  progress?: TransferReporter | undefined;
}

export interface Pushed {
  version: string;
  sizeBytes: number;
  /** Whether this version was the newest already, with all of its files. */
  wasThere: boolean;
  /** Versions that were removed. */
  removed: string[];
  /** Versions that were to be removed, and stay: a registry of the store names them. */
  registered: string[];
}

/**
 * Stores a model directory under a name. Whoever loads the name meanwhile gets the version before; the
 * manifest is written when every file is there. Again after an interruption: goes on where it was.
 */
export async function pushModel(
  store: RemoteStore,
  dir: string,
  { name, prune = false, signal, progress }: PushOptions,
): Promise<Pushed> {
  const manifest = manifestOf(await hashDirectory(dir, signal), new Date());
  checkIsModel(dir, manifest);
  const { version, files } = manifest;
  const sizeBytes = files.reduce((sum, file) => sum + file.sizeBytes, 0);
  const newest = await newestOf(store, name);
  // A store that has lost some of it gets them again.
  const wasThere =
    newest?.version === version && (await lostFiles(store, { name, manifest })).length === 0;
  if (!wasThere) {
    await store.makeRoom(sizeBytes);
    progress?.begin(sizeBytes);
    for (const file of files) {
      progress?.file(file.name);
      const local = { path: join(dir, file.name), ...file };
      const onBytes = (numBytes: number) => progress?.add(numBytes);
      await store.upload(fileKey(name, version, file.name), local, { signal, onBytes });
    }
    const text = Buffer.from(`${JSON.stringify(manifest, null, 2)}\n`);
    await store.write(manifestKey(name, version), text);
    await store.write(manifestKey(name), text);
  }
  const named = prune ? await registeredVersions(store, name) : [];
  const removed = prune ? await removeOthers(store, name, [version, ...named]) : [];
  const registered = named.filter((each) => each !== version);
  return { version, sizeBytes, wasThere, removed, registered };
}

/** The manifest of the newest version of a name, or of one; undefined when there is none. */
export async function newestOf(
  store: RemoteStore,
  name: string,
  version?: string,
): Promise<ModelManifest | undefined> {
  const key = manifestKey(name, version);
  const content = await store.read(key);
  if (!content) return undefined;
  const manifest = readManifest(content, `${store.name}/${key}`);
  if (version === undefined || manifest.version === version) return manifest;
  throw new StagecraftError(
    "data_loss",
    `${store.name}/${key} is the manifest of another version, ${manifest.version}`,
  );
}

/** Versions of a name, whole ones and those of pushes that never ended. */
async function removeOthers(
  store: RemoteStore,
  name: string,
  keep: readonly string[],
): Promise<string[]> {
  const keys = await store.list(`${name}/`);
  const others = keys.filter((key) => {
    const version = /^([0-9a-f]{16})\//.exec(key.slice(name.length + 1))?.[1];
    return version !== undefined && !keep.includes(version);
  });
  // A version without its manifest is none: nobody begins to load what is going.
  const order = [...others].sort((a, b) => Number(isManifest(b)) - Number(isManifest(a)));
  for (const key of order) await store.remove(key);
  return [...new Set(others.map((key) => key.slice(name.length + 1, name.length + 17)))];
}

const isManifest = (key: string) => key.endsWith("/stagecraft.json");

function checkIsModel(dir: string, { files }: ModelManifest): void {
  const names = new Set(files.map(({ name }) => name));
  if (names.has("stagecraft.json")) {
    throw new StagecraftError(
      "invalid_argument",
      `${dir} has a file stagecraft.json, which is the manifest's name; take it away`,
    );
  }
  if (names.has("config.json") && files.some(({ name }) => name.endsWith(".safetensors"))) return;
  const size = formatBytes(files.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0));
  throw new StagecraftError(
    "failed_precondition",
    `${dir} is no model directory: it needs config.json and *.safetensors, and has ${files.length} files of ${size}`,
  );
}

import { createHash } from "node:crypto";
import { StagecraftError } from "@stagecraft/core";
import { weightsHash, type ModelIdentity, type VersionFile } from "@stagecraft/registry";
import { fileKey, manifestKey, type ModelFile, type ModelManifest } from "./model-manifest.js";
import type { RemoteStore } from "./remote-store.js";

/** A version in a store. */
export interface StoredModel {
  name: string;
  manifest: ModelManifest;
}

/** Which model it is, as `identifyModel` says of the directory that was pushed. */
export function identityOf({ name, manifest }: StoredModel): ModelIdentity {
  const weights = manifest.files.filter((file) => /^[^/]+\.safetensors$/.test(file.name));
  const sha256 = weightsHash(Object.fromEntries(weights.map((file) => [file.name, file.sha256])));
  const sizeBytes = weights.reduce((sum, file) => sum + file.sizeBytes, 0);
  if (sha256 !== undefined) return { sha256, sizeBytes };
  throw new StagecraftError(
    "not_found",
    `${name}@${manifest.version} holds no weights (*.safetensors)`,
  );
}

/** Throws `data_loss` when objects of a version are gone; what is in them, whoever loads them looks at. */
export async function checkComplete(store: RemoteStore, model: StoredModel): Promise<void> {
  const lost = await lostFiles(store, model);
  if (lost.length === 0) return;
  const { name, manifest } = model;
  throw new StagecraftError(
    "data_loss",
    `${store.name} has lost ${lost.join(", ")} of ${name}@${manifest.version}; push the model again`,
  );
}

/** Names of files of a version that the store does not have, its manifest among them. */
export async function lostFiles(
  store: RemoteStore,
  { name, manifest: { version, files } }: StoredModel,
): Promise<string[]> {
  const keys = new Set(await store.list(`${name}/${version}/`));
  const lost = files.filter((file) => !keys.has(fileKey(name, version, file.name)));
  const hasManifest = keys.has(manifestKey(name, version));
  return [...lost.map((file) => file.name), ...(hasManifest ? [] : ["stagecraft.json"])];
}

/** The files of a version, each read from the store. */
export function filesOf(store: RemoteStore, model: StoredModel): VersionFile[] {
  const modifiedAtMs = Date.parse(model.manifest.pushedAt);
  return model.manifest.files.map((file) => ({
    ...{ name: file.name, sizeBytes: file.sizeBytes, modifiedAtMs },
    read: () => readStored(store, model, file),
  }));
}

/** The text of one file of a version; undefined when it has none of this name. */
export async function textOf(
  store: RemoteStore,
  model: StoredModel,
  name: string,
): Promise<string | undefined> {
  const file = model.manifest.files.find((each) => each.name === name);
  if (!file) return undefined;
  const chunks: Uint8Array[] = [];
  for await (const chunk of readStored(store, model, file)) chunks.push(chunk);
  return Buffer.concat(chunks).toString("utf8");
}

/** Throws `data_loss` in the end when it is not what the manifest says. */
async function* readStored(
  store: RemoteStore,
  { name, manifest }: StoredModel,
  file: ModelFile,
): AsyncGenerator<Uint8Array> {
  const key = fileKey(name, manifest.version, file.name);
  const hash = createHash("sha256");
  for await (const chunk of store.download(key, 0, {})) {
    hash.update(chunk);
    yield chunk;
  }
  if (hash.digest("hex") === file.sha256) return;
  throw new StagecraftError("data_loss", `${store.name}/${key} is not what its manifest says`);
}

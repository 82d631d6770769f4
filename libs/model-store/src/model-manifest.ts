import { createHash } from "node:crypto";
import { StagecraftError } from "@stagecraft/core";

/** A file of a model, by its path within the directory. */
export interface ModelFile {
  name: string;
  sizeBytes: number;
  sha256: string;
}

/** What a pushed model consists of. Written last: without it nothing is a model. */
export interface ModelManifest {
  format: 1;
  /** 16 hex digits of the files' names, sizes and hashes: equal models have one version. */
  version: string;
  files: ModelFile[];
  pushedAt: string;
}

/** The manifest's key, of the newest version or of one. */
export function manifestKey(name: string, version?: string): string {
  return `${version === undefined ? name : `${name}/${version}`}/stagecraft.json`;
}

/** The key of a file of a version. */
export function fileKey(name: string, version: string, file: string): string {
  return `${name}/${version}/${file}`;
}

/** The manifest of files that were hashed. */
export function manifestOf(files: readonly ModelFile[], pushedAt: Date): ModelManifest {
  const sorted = [...files].sort((a, b) => (a.name < b.name ? -1 : 1));
  const plain = sorted.map(({ name, sizeBytes, sha256 }) => ({ name, sizeBytes, sha256 }));
  return {
    format: 1,
    version: versionOf(plain),
    files: plain,
    pushedAt: pushedAt.toISOString(),
  };
}

/** Throws `data_loss` for what is no manifest, or one that was changed. */
export function readManifest(content: Uint8Array, source: string): ModelManifest {
  let manifest: Partial<ModelManifest>;
  try {
    manifest = JSON.parse(Buffer.from(content).toString("utf8")) as Partial<ModelManifest>;
  } catch (cause) {
    throw damaged(source, "it is no JSON", cause);
  }
  const { files } = manifest;
  if (manifest.format !== 1) throw damaged(source, "it has another format than 1");
  if (!Array.isArray(files) || !files.every(isFile)) throw damaged(source, "its files are none");
  if (manifest.version !== versionOf(files)) throw damaged(source, "its version is another");
  return manifest as ModelManifest;
}

function versionOf(files: readonly ModelFile[]): string {
  const plain = files.map(({ name, sizeBytes, sha256 }) => [name, sizeBytes, sha256]);
  return createHash("sha256").update(JSON.stringify(plain)).digest("hex").slice(0, 16);
}

function isFile(file: Partial<ModelFile>): boolean {
  const { name = "", sizeBytes = -1, sha256 = "" } = file;
  return isSafeName(name) && Number.isSafeInteger(sizeBytes) && /^[0-9a-f]{64}$/.test(sha256);
}

/** Names that stay within the directory, on every system. */
export function isSafeName(name: string): boolean {
  return name.split("/").every((part) => /^[A-Za-z0-9_][A-Za-z0-9._-]*$/.test(part));
}

function damaged(source: string, why: string, cause?: unknown): StagecraftError {
  return new StagecraftError("data_loss", `${source} is no manifest of a model: ${why}`, { cause });
}

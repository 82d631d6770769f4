import { createHash } from "node:crypto";
import { join } from "node:path";
import { setImmediate as nextTurn } from "node:timers/promises";
import { StagecraftError, type JsonObject } from "@stagecraft/core";
import { atomicReplaceDirectory, type ReplaceOptions } from "./atomic-directory.js";
import type { FileContent } from "./atomic-write.js";
import { readWhole, type FileSystem } from "./file-system.js";
import { corrupt } from "./safetensors-header.js";

const MANIFEST_FILE = "manifest.json";

export interface FileRecord {
  readonly sha256: string;
  readonly sizeBytes: number;
}

/** What a sealed directory holds; the manifest carries the hash of its own content too. */
export interface Manifest {
  readonly files: Readonly<Record<string, FileRecord>>;
  readonly meta: JsonObject;
}

/** Hex sha256 of content given whole or in chunks. */
export function sha256Of(content: FileContent): string {
  const hash = createHash("sha256");
  const chunks = typeof content === "string" || content instanceof Uint8Array ? [content] : content;
  for (const chunk of chunks) hash.update(chunk);
  return hash.digest("hex");
}

/** As `sha256Of`, with a turn for the event loop every 8 MiB: servers hash while they serve. */
export async function sha256InTurns(content: FileContent): Promise<string> {
  if (typeof content === "string") return sha256Of(content);
  const hash = createHash("sha256");
  let numHashed = 0;
  for (const chunk of content instanceof Uint8Array ? [content] : content) {
    for (let offset = 0; offset < chunk.length; offset += TURN_BYTES) {
      const part = chunk.subarray(offset, offset + TURN_BYTES);
      hash.update(part);
      numHashed += part.length;
      if (numHashed < TURN_BYTES) continue;
      numHashed = 0;
      await nextTurn();
    }
  }
  return hash.digest("hex");
}

const TURN_BYTES = 8 * 1024 * 1024;

/** Writes a directory with its files and a manifest of their hashes, atomically. */
export async function writeSealedDirectory(
  directory: string,
  files: ReadonlyMap<string, FileContent>,
  { meta, ...options }: ReplaceOptions & { meta: JsonObject },
): Promise<Manifest> {
  const records: Record<string, FileRecord> = {};
  for (const [name, content] of files) {
    records[name] = { sha256: await sha256InTurns(content), sizeBytes: sizeOf(content) };
  }
  const manifest = { files: records, meta };
  const sealed = new Map(files).set(MANIFEST_FILE, serialise(manifest));
  await atomicReplaceDirectory(directory, sealed, options);
  return manifest;
}

/** Reads the manifest alone. Throws `not_found` or, when a byte of it changed, `data_loss`. */
export async function readManifest(directory: string, fileSystem: FileSystem): Promise<Manifest> {
  const file = join(directory, MANIFEST_FILE);
  const text = Buffer.from(await readExisting(file, fileSystem)).toString();
  let manifest: Manifest;
  try {
    const { files, meta } = JSON.parse(text) as Manifest;
    manifest = { files, meta };
  } catch (cause) {
    throw corrupt(file, "not a manifest", cause);
  }
  if (serialise(manifest) !== text) throw corrupt(file, "the manifest's own checksum is wrong");
  return manifest;
}

/**
 * Reads every file that the manifest lists and checks size and sha256.
 * Throws `data_loss` naming the first file that is missing, cut short or altered.
 */
export async function readSealedDirectory(
  directory: string,
  fileSystem: FileSystem,
): Promise<{ manifest: Manifest; files: ReadonlyMap<string, Uint8Array> }> {
  const manifest = await readManifest(directory, fileSystem);
  const files = new Map<string, Uint8Array>();
  for (const [name, record] of Object.entries(manifest.files)) {
    const file = join(directory, name);
    const bytes = await readExisting(file, fileSystem);
    if (bytes.length !== record.sizeBytes) {
      throw corrupt(file, `${bytes.length} bytes, the manifest says ${record.sizeBytes}`);
    }
    if ((await sha256InTurns(bytes)) !== record.sha256) {
      throw corrupt(file, "sha256 differs from the manifest");
    }
    files.set(name, bytes);
  }
  return { manifest, files };
}

async function readExisting(file: string, fileSystem: FileSystem): Promise<Uint8Array> {
  try {
    return await readWhole(file, fileSystem);
  } catch (thrown) {
    const { code, reason } = StagecraftError.from(thrown);
    if (code === "not_found") throw corrupt(file, "missing", thrown);
    throw new StagecraftError(code, `cannot read ${file}: ${reason}`, { cause: thrown });
  }
}

// One exact text per manifest, so that any changed byte shows.
function serialise({ files, meta }: Manifest): string {
  const body = JSON.stringify({ files, meta }, null, 2);
  return `${JSON.stringify({ sha256: sha256Of(body), files, meta }, null, 2)}\n`;
}

function sizeOf(content: FileContent): number {
  if (typeof content === "string") return Buffer.byteLength(content);
  return content instanceof Uint8Array
    ? content.length
    : content.reduce((sum, chunk) => sum + chunk.length, 0);
}

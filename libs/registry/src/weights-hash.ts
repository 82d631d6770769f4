import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { readdir, stat } from "node:fs/promises";
import { join } from "node:path";
import { locateDirectory } from "@stagecraft/checkpoint";
import { StagecraftError } from "@stagecraft/core";

/** What tells a model from every other one, whatever its folder is called. */
export interface ModelIdentity {
  /** See `weightsHash`. */
  sha256: string;
  /** Of the weights. */
  sizeBytes: number;
}

/**
 * One hash of a model's weights, from those of its files: that of the one file, or of several (shards,
 * members of an ensemble) what `sha256sum *.safetensors | sha256sum` prints. Undefined without weights.
 */
export function weightsHash(files: Readonly<Record<string, string>>): string | undefined {
  const weights = Object.entries(files)
    .filter(([name]) => name.endsWith(".safetensors"))
    .sort(([a], [b]) => (a < b ? -1 : 1));
  if (weights.length <= 1) return weights[0]?.[1];
  const lines = weights.map(([name, sha256]) => `${sha256}  ${name}\n`);
  return createHash("sha256").update(lines.join("")).digest("hex");
}

/** Hashes the weights of a model directory; throws `not_found` when it has none. */
export async function identifyModel(directory: string): Promise<ModelIdentity> {
  const home = await locateDirectory(directory);
  const names = await readdir(home).catch((): string[] => []);
  const hashes: Record<string, string> = {};
  let sizeBytes = 0;
  for (const name of names.filter((each) => /^[^.].*\.safetensors$/.test(each))) {
    const file = join(home, name);
    sizeBytes += (await stat(file)).size;
    hashes[name] = await hashOf(file);
  }
  const sha256 = weightsHash(hashes);
  if (sha256 !== undefined) return { sha256, sizeBytes };
  throw new StagecraftError(
    "not_found",
    `${directory} holds no weights (*.safetensors); name a model directory`,
    { details: { directory } },
  );
}

async function hashOf(file: string): Promise<string> {
  const hash = createHash("sha256");
  for await (const chunk of createReadStream(file, { highWaterMark: 1 << 20 })) {
    hash.update(chunk as Buffer);
  }
  return hash.digest("hex");
}

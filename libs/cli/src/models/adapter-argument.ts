import { createHash, type Hash } from "node:crypto";
import { createReadStream, existsSync } from "node:fs";
import { readdir } from "node:fs/promises";
import { basename, join, resolve } from "node:path";
import { modelsFolder, type StoreSettings } from "@stagecraft/model-store";
import { writeModelAs } from "./write-model.js";

/**
 * The directory of a PEFT adapter's base with the adapter merged into it, in the folder of brought models; made
 * once for what both hold. Undefined for a directory that is no adapter.
 */
export async function mergedAdapter(
  directory: string,
  { settings, info }: { settings: () => Promise<StoreSettings>; info?(text: string): void },
): Promise<string | undefined> {
  const has = (name: string) => existsSync(join(directory, name));
  if (!has("adapter_config.json") || has("config.json")) return undefined;
  const { baseOfAdapter } = await import("@stagecraft/model"); // not for every command's start
  const base = await baseOfAdapter(directory);
  const name = `${basename(resolve(directory))}-${await contentOf([directory, base])}`;
  const merged = join(modelsFolder(await settings()), `merged-${name}`);
  info?.(`${directory} is an adapter: it is taken with its base ${base}, merged in ${merged}`);
  if (!existsSync(merged)) await writeModelAs(base, { out: merged, adapter: directory });
  return merged;
}

/** What the files of directories hold, as one short name. */
async function contentOf(directories: readonly string[]): Promise<string> {
  const hash = createHash("sha256");
  for (const directory of directories) {
    for (const name of (await readdir(directory)).sort()) {
      if (!/\.(json|jinja|safetensors)$/.test(name)) continue;
      hash.update(`\n${name}\n`);
      await addFile(hash, join(directory, name));
    }
  }
  return hash.digest("hex").slice(0, 16);
}

async function addFile(hash: Hash, file: string): Promise<void> {
  for await (const chunk of createReadStream(file)) hash.update(chunk as Buffer);
}

import { createHash, type Hash } from "node:crypto";
import { createReadStream, existsSync } from "node:fs";
import { mkdir, readdir } from "node:fs/promises";
import { basename, dirname, join, resolve } from "node:path";
import { lockTarget, modelsFolder, type StoreSettings } from "@stagecraft/model-store";
import { writeModelAs } from "./write-model.js";

export interface MergedAdapterOptions {
  settings(): Promise<StoreSettings>;
  /** Told what is merged, and whom it waits for. */
  info?(text: string): void;
  signal?: AbortSignal | undefined;
}

/** How long the folder may stand still while another process merges: it reads and adds before it writes. */
const PATIENCE_MS = 10 * 60_000;

/**
 * The directory of a PEFT adapter's base with the adapter merged into it, in the folder of brought models; made
 * once for what both hold. Undefined for a directory that is no adapter.
 */
export async function mergedAdapter(
  directory: string,
  { settings, info, signal }: MergedAdapterOptions,
): Promise<string | undefined> {
  const has = (name: string) => existsSync(join(directory, name));
  if (!has("adapter_config.json") || has("config.json")) return undefined;
  const { baseOfAdapter } = await import("@stagecraft/model"); // not for every command's start
  const base = await baseOfAdapter(directory);
  const name = `${basename(resolve(directory))}-${await contentOf([directory, base])}`;
  const merged = join(modelsFolder(await settings()), `merged-${name}`);
  info?.(`${directory} is an adapter: it is taken with its base ${base}, merged in ${merged}`);
  if (!existsSync(merged)) await mergeOnce({ base, adapter: directory, out: merged, info, signal });
  return merged;
}

interface MergeOptions extends Pick<MergedAdapterOptions, "info" | "signal"> {
  base: string;
  adapter: string;
  out: string;
}

/** Writes the merged model, unless another process does: then it waits for that one. */
async function mergeOnce({ base, adapter, out, info, signal }: MergeOptions): Promise<void> {
  const folder = dirname(out);
  await mkdir(folder, { recursive: true });
  const say = (text: string) => info?.(text);
  const lock = await lockTarget(out, { partial: folder, patienceMs: PATIENCE_MS, say, signal });
  try {
    if (!existsSync(out)) await writeModelAs(base, { out, adapter });
  } finally {
    await lock.release();
  }
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

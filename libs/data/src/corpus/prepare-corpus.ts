import { mkdir, readdir, rename, rm, open } from "node:fs/promises";
import { join } from "node:path";
import { StagecraftError } from "@stagecraft/core";
import type { Tokenizer } from "@stagecraft/tokenizer";
import type { CorpusSource } from "../documents.js";
import type { RecordOptions } from "../types.js";
import { writeFailure } from "../write/write-jsonl.js";
import { corpusKey, hashSources, type HashedSource } from "./corpus-key.js";
import { CACHE_FORMAT, MANIFEST_FILE, readManifest, type CorpusManifest } from "./manifest.js";
import { openPreparedCorpus, type PreparedCorpus } from "./prepared-corpus.js";
import { settleSplit } from "./settle-split.js";
import { tokenizeSource, type TokenizeOptions } from "./tokenize-corpus.js";

export interface CorpusProgress {
  phase: "hashing" | "tokenizing";
  /** Characters tokenized. */
  done: number;
  /** Source that is being read, and how many there are. */
  source: number;
  numSources: number;
}

export interface PrepareCorpusOptions extends RecordOptions {
  sources: readonly CorpusSource[];
  tokenizer: Tokenizer;
  /** Holds one directory of token shards for each corpus and tokenizer. */
  cacheDir: string;
  /** Part of the corpus kept for validation, in [0, 1). Default 0. */
  validationFraction?: number;
  /**
   * What is kept: "documents" = documents chosen by the hash of their text; "tail" = the last
   * characters of every source, as nanoGPT does. Default "documents"; where that would leave one side
   * without a document, such as with a single one, "tail" is taken and `onNotice` hears of it.
   */
  split?: "documents" | "tail";
  onNotice?: (message: string) => void;
  onProgress?: (progress: CorpusProgress) => void;
  /** Tokens a shard file. Default 2^26. */
  shardTokens?: number;
}

/**
 * Tokenizes a corpus into shards on disk, or finds them there: a cache is used again when texts,
 * reading options, tokenizer and split are the same, and is never seen half written. Streams:
 * memory does not grow with the corpus (8 bytes a document apart).
 * @throws `invalid_argument` for an empty corpus or an empty split, and what `readDocuments` throws;
 * `resource_exhausted` on a full disk
 */
export async function prepareCorpus(options: PrepareCorpusOptions): Promise<PreparedCorpus> {
  const settings = checkedSettings(options);
  const numSources = options.sources.length;
  options.onProgress?.({ phase: "hashing", done: 0, source: 0, numSources });
  const sources = await hashSources(options.sources, options.signal);
  settings.split = await settledSplit(settings, options);
  const key = corpusKey(sources, {
    tokenizer: options.tokenizer.fingerprint,
    vocabSize: options.tokenizer.vocabSize,
    bos: options.tokenizer.specials.bos ?? -1,
    eos: options.tokenizer.specials.eos ?? -1,
    split: settings.split,
    validationFraction: settings.validationFraction,
    shardTokens: settings.shardTokens,
  });
  const dir = join(options.cacheDir, key);
  const found = await readManifest(dir, key);
  const manifest = found ?? (await buildCache(dir, key, sources, { ...options, ...settings }));
  checkNotEmpty(manifest);
  return openPreparedCorpus(dir, manifest, options, found !== undefined);
}

function checkedSettings(options: PrepareCorpusOptions) {
  const { validationFraction = 0, split = "documents", shardTokens = 2 ** 26, sources } = options;
  const problem =
    sources.length === 0
      ? "a corpus needs at least one source"
      : !(validationFraction >= 0 && validationFraction < 1)
        ? `validationFraction is ${validationFraction}; it must be at least 0 and below 1`
        : undefined;
  if (problem) throw new StagecraftError("invalid_argument", problem);
  for (const { path, weight = 1 } of sources) {
    if (Number.isFinite(weight) && weight > 0 && weight <= 1000) continue;
    throw new StagecraftError(
      "invalid_argument",
      `the weight of ${path} is ${weight}; it must be above 0 and at most 1000`,
    );
  }
  return { validationFraction, split, shardTokens };
}

async function settledSplit(
  settings: ReturnType<typeof checkedSettings>,
  { sources, maxBadRecords = 0, signal, onNotice }: PrepareCorpusOptions,
) {
  // Bad records are told of when the text is tokenized.
  const quiet = { maxBadRecords, ...(signal && { signal }) };
  const { split, numDocuments = 0 } = await settleSplit(sources, settings, quiet);
  if (split !== settings.split && numDocuments > 0) {
    onNotice?.(
      `${numDocuments} document(s) cannot be split by documents with validationFraction ` +
        `${settings.validationFraction}: the last part of the text is held out instead (split tail)`,
    );
  }
  return split;
}

async function buildCache(
  dir: string,
  key: string,
  sources: readonly HashedSource[],
  options: PrepareCorpusOptions,
): Promise<CorpusManifest> {
  await mkdir(options.cacheDir, { recursive: true }).catch((thrown: unknown) => {
    throw writeFailure(options.cacheDir, thrown);
  });
  await removeAbandoned(options.cacheDir);
  const temporary = join(options.cacheDir, `.${key}.${process.pid}.tmp`);
  try {
    await rm(temporary, { recursive: true, force: true });
    await mkdir(temporary);
    const manifest = await tokenizeAll(temporary, key, sources, options);
    await writeSynced(join(temporary, MANIFEST_FILE), JSON.stringify(manifest, null, 1));
    await commit(temporary, dir, key);
    return manifest;
  } catch (thrown) {
    await rm(temporary, { recursive: true, force: true });
    throw thrown instanceof StagecraftError ? thrown : writeFailure(temporary, thrown);
  }
}

/** Renames the finished directory into place, unless another process was first with the same. */
async function commit(temporary: string, dir: string, key: string): Promise<void> {
  if (await readManifest(dir, key)) return rm(temporary, { recursive: true, force: true });
  await rm(dir, { recursive: true, force: true }); // damaged: that is why it was made anew
  await rename(temporary, dir);
}

/** Deletes what processes that no longer run left half written. */
async function removeAbandoned(cacheDir: string): Promise<void> {
  for (const name of await readdir(cacheDir)) {
    const pid = /^\.[0-9a-f]{32}\.(\d+)\.tmp$/.exec(name)?.[1];
    if (pid === undefined || isRunning(Number(pid))) continue;
    await rm(join(cacheDir, name), { recursive: true, force: true });
  }
}

function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0); // signal 0 only asks
    return true;
  } catch (thrown) {
    return (thrown as NodeJS.ErrnoException).code === "EPERM";
  }
}

async function tokenizeAll(
  dir: string,
  key: string,
  sources: readonly HashedSource[],
  options: PrepareCorpusOptions,
): Promise<CorpusManifest> {
  const { tokenizer, onProgress, maxBadRecords = 0 } = options;
  const dtype = tokenizer.vocabSize <= 2 ** 16 ? "uint16" : "uint32";
  let numBadRecords = 0;
  let done = 0;
  const manifest: CorpusManifest = {
    ...{ format: CACHE_FORMAT, key, tokenizer: tokenizer.fingerprint },
    ...{ vocabSize: tokenizer.vocabSize, dtype, numBadRecords, sources: [] },
    split: options.split ?? "documents",
    validationFraction: options.validationFraction ?? 0,
  };
  for (const [index, { source, files }] of sources.entries()) {
    const settings: TokenizeOptions = {
      ...{ tokenizer, dir, dtype, signal: options.signal, split: manifest.split },
      validationFraction: manifest.validationFraction,
      shardTokens: options.shardTokens ?? 2 ** 26,
      maxBadRecords: maxBadRecords - numBadRecords,
      onBadRecord(record) {
        numBadRecords++;
        options.onBadRecord?.(record);
      },
      onText(numChars) {
        done += numChars;
        onProgress?.({ phase: "tokenizing", done, source: index, numSources: sources.length });
      },
    };
    const splits = await tokenizeSource(source, `source-${index}`, settings);
    manifest.sources.push({ path: source.path, files, splits });
  }
  return { ...manifest, numBadRecords };
}

function checkNotEmpty({ sources, split, validationFraction }: CorpusManifest): void {
  const total = (name: "train" | "validation") =>
    sources.reduce((sum, { splits }) => sum + splits[name].numTokens, 0);
  const documents = sources.reduce(
    (sum, { splits }) => sum + splits.train.numDocuments + splits.validation.numDocuments,
    0,
  );
  const paths = sources.map(({ path }) => path).join(", ");
  if (documents === 0) {
    throw new StagecraftError("invalid_argument", `the corpus is empty: no text in ${paths}`);
  }
  const empty =
    total("train") === 0
      ? "training"
      : validationFraction > 0 && total("validation") === 0
        ? "validation"
        : undefined;
  if (empty === undefined) return;
  throw new StagecraftError(
    "invalid_argument",
    `nothing is left for ${empty}: ${paths} has ${documents} document(s) and validationFraction ` +
      `is ${validationFraction}; give more text or another fraction`,
    { details: { documents, validationFraction, split } },
  );
}

async function writeSynced(file: string, text: string): Promise<void> {
  const handle = await open(file, "w");
  try {
    await handle.writeFile(text);
    await handle.sync();
  } finally {
    await handle.close();
  }
}

/**
 * What a run read, by content: sha256 of every input file, kept in run.json. A run goes on exactly, and
 * a finished result stands, only while they are the same. Every file is read to its end, as a stream:
 * 1 to 3 s a GiB on one core, less than loading a model or tokenizing a text of that size takes.
 */
import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { readdir, stat } from "node:fs/promises";
import { join } from "node:path";
import { StagecraftError, throwIfAborted } from "@stagecraft/core";
import { locateDirectory } from "@stagecraft/checkpoint";
import { listFiles } from "@stagecraft/data";
import { withoutCachePlace } from "./cache-place.js";
import type { StageReporter } from "../stage/reporter.js";
import type { StageInput } from "../stage/stage-input.js";

/** File → sha256, or, of a folder with very many files, one hash of all. */
export type InputHashes = Readonly<Record<string, string>>;

/** How much each of these files holds. */
export type InputSizes = Readonly<Record<string, { bytes: number; lines?: number }>>;

/** What a run read: its content, and how much that was. */
export interface InputNotes {
  hashes: InputHashes;
  sizes: InputSizes;
  /** The same by input. */
  files: ReadFile[];
}

/** A file that was read, and the input that it belongs to. */
export interface ReadFile extends FileNote {
  input: StageInput;
  /** As a person knows it; of a folder with very many files the folder, which counts them. */
  name: string;
}

/** Files whose lines are records or texts. */
const LINES_COUNT = /\.(jsonl|ndjson|txt|csv|tsv|md)$/i;
const NEWLINE = 0x0a;

/** What a model directory is read for; notes beside it may change, such as when it was made, and by whom. */
const MODEL_FILE =
  /^(?!(lineage|signature)\.json$).*\.(json|safetensors|jinja|model)$|^(vocab|merges)\.txt$/;
const MAX_LISTED_FILES = 1000;
const WORTH_TELLING_BYTES = 2 ** 30;
/** A file changed so short a time ago could change again without its times showing it. */
const SETTLED_MS = 2000;

export interface HashOptions {
  signal?: AbortSignal;
  reporter?: Pick<StageReporter, "info">;
  /** What becomes of an input that is not there. Default: refuse. */
  missing?: "refuse" | "leave out";
}

/** The hashes alone of `noteInputs`. */
export async function hashInputs(
  inputs: readonly StageInput[],
  options: HashOptions = {},
): Promise<InputHashes> {
  return (await noteInputs(inputs, options)).hashes;
}

/** Hashes and measures every file of the inputs. Throws `not_found` for one that is missing. */
export async function noteInputs(
  inputs: readonly StageInput[],
  { signal, reporter, missing = "refuse" }: HashOptions = {},
): Promise<InputNotes> {
  const groups: { input: StageInput; files: InputFile[] }[] = [];
  for (const input of inputs) {
    const files = filesOf(input);
    const needed = missing === "refuse" && input.optional !== true;
    groups.push({ input, files: needed ? await files : await files.catch(() => []) });
  }
  const paths = groups.flatMap(({ files }) => files);
  await tellLongWait(paths, reporter);
  const all: ReadFile[] = [];
  for (const { input, files } of groups) {
    const read: ReadFile[] = [];
    for (const { name, file } of files) read.push({ input, name, ...(await noteOf(file, signal)) });
    all.push(...(files.length > MAX_LISTED_FILES ? [asOne(input, read)] : read));
  }
  const sizeOf = ({ bytes, lines }: FileNote) => ({ bytes, ...(lines !== undefined && { lines }) });
  return {
    hashes: hashesOf(all),
    sizes: Object.fromEntries(all.map((file) => [file.name, sizeOf(file)])),
    files: all,
  };
}

function hashesOf(files: readonly ReadFile[]): InputHashes {
  return Object.fromEntries(files.map(({ name, sha256 }) => [name, sha256]));
}

/** What is different, one sentence a file; empty when nothing is. */
export function inputChanges(earlier: InputHashes, later: InputHashes): string[] {
  const [before, after] = [placeless(earlier, later), placeless(later, earlier)];
  const files = [...new Set([...Object.keys(before), ...Object.keys(after)])];
  return files.flatMap((file) => {
    if (before[file] === after[file]) return [];
    if (after[file] === undefined) return [`${file} is gone`];
    return [before[file] === undefined ? `${file} is new` : `${file} has changed`];
  });
}

/** Only what the others do not have at its place may lie elsewhere: two folders may be called alike. */
function placeless(hashes: InputHashes, others: InputHashes): InputHashes {
  const entries = Object.entries(hashes).map(([name, hash]) => [
    name in others ? name : withoutCachePlace(name),
    hash,
  ]);
  return Object.fromEntries(entries) as InputHashes;
}

interface InputFile {
  /** As a person knows it. */
  name: string;
  /** Where it lies now: beside, while a model directory is being replaced. */
  file: string;
}

async function filesOf({ kind, path }: StageInput): Promise<InputFile[]> {
  if (kind === "data") return (await listFiles(path)).map((file) => ({ name: file, file }));
  const home = await locateDirectory(path);
  const names = await readdir(home).catch((thrown: unknown) => {
    const error = StagecraftError.from(thrown);
    throw new StagecraftError(error.code, `cannot read ${path}: ${error.reason}`);
  });
  return names
    .filter((name) => MODEL_FILE.test(name) && !name.startsWith("."))
    .map((name) => ({ name: join(path, name), file: join(home, name) }));
}

function asOne(input: StageInput, read: readonly ReadFile[]): ReadFile {
  const sha256 = createHash("sha256")
    .update(JSON.stringify(hashesOf(read)))
    .digest("hex");
  const bytes = read.reduce((sum, file) => sum + file.bytes, 0);
  const name = `${input.path} (${read.length} files)`;
  return { input, name, sha256, bytes, numFiles: read.length };
}

async function tellLongWait(
  files: readonly InputFile[],
  reporter: Pick<StageReporter, "info"> | undefined,
): Promise<void> {
  let bytes = 0;
  for (const { file } of files) bytes += (await stat(file)).size;
  if (bytes < WORTH_TELLING_BYTES) return;
  reporter?.info(`reading ${(bytes / 2 ** 30).toFixed(1)} GiB of input once to note its content`);
}

interface FileNote {
  sha256: string;
  bytes: number;
  /** Of files of lines. */
  lines?: number;
  /** Of a folder that is noted as one. */
  numFiles?: number;
}

/** The stages of a pipeline read the same files: within a process each is read for it once. */
const known = new Map<string, FileNote>();

async function noteOf(file: string, signal: AbortSignal | undefined): Promise<FileNote> {
  const { dev, ino, size, mtimeNs, ctimeNs } = await stat(file, { bigint: true });
  const key = [dev, ino, size, mtimeNs, ctimeNs].join("/");
  const before = known.get(key);
  if (before !== undefined) return before;
  const note = await readNote(file, signal);
  if (Date.now() - Number(ctimeNs / 1_000_000n) > SETTLED_MS) known.set(key, note);
  return note;
}

async function readNote(file: string, signal: AbortSignal | undefined): Promise<FileNote> {
  const hash = createHash("sha256");
  const hasLines = LINES_COUNT.test(file);
  let [bytes, lines, last] = [0, 0, NEWLINE];
  for await (const chunk of createReadStream(file, { highWaterMark: 1 << 20 })) {
    throwIfAborted(signal);
    const part = chunk as Buffer;
    hash.update(part);
    bytes += part.length;
    if (hasLines) lines += newlinesIn(part);
    last = part.at(-1)!;
  }
  const sha256 = hash.digest("hex");
  return { sha256, bytes, ...(hasLines && { lines: last === NEWLINE ? lines : lines + 1 }) };
}

function newlinesIn(part: Buffer): number {
  let count = 0;
  for (let i = part.indexOf(NEWLINE); i >= 0; i = part.indexOf(NEWLINE, i + 1)) count++;
  return count;
}

import { mkdir, rename, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { LABELERS, LABELER_TEMPERATURE } from "./labelers.js";
import { RUBRIC } from "./gold.js";
import { COURTESIES, TRAINERS } from "./trainers.js";
import type { WorldDocument, WorldPrompt } from "./types.js";
import { createWorld, type World, type WorldOptions } from "./world.js";

/** Where `writeWorld` put everything; absolute if its `dir` was. */
export interface WorldFiles {
  /** Folder of .txt, .md and .jsonl texts. */
  readonly corpusDir: string;
  readonly demonstrations: string;
  readonly trainPrompts: string;
  readonly heldOutPrompts: string;
  /** Counts, settings, trainers, labelers, rubric: what a reader of the folder wants to know. */
  readonly description: string;
}

/** Writes a world as files; overwrites files of the same names. The same options give equal bytes. */
export async function writeWorld(
  dir: string,
  options: WorldOptions,
): Promise<WorldFiles & { world: World }> {
  const world = createWorld(options);
  const files: WorldFiles = {
    corpusDir: join(dir, "corpus"),
    demonstrations: join(dir, "demonstrations.jsonl"),
    trainPrompts: join(dir, "prompts-train.jsonl"),
    heldOutPrompts: join(dir, "prompts-heldout.jsonl"),
    description: join(dir, "world.json"),
  };
  for (const [name, text] of corpusFiles(world.documents()))
    await put(join(files.corpusDir, name), text);
  await put(files.demonstrations, jsonLines(world.demonstrations()));
  await put(files.trainPrompts, jsonLines(world.prompts("train").map(withoutKey)));
  await put(files.heldOutPrompts, jsonLines(world.prompts("heldout").map(withoutKey)));
  await put(files.description, `${JSON.stringify(describeWorld(world), undefined, 2)}\n`);
  return { ...files, world };
}

/** File name to contents: .jsonl has a document a line, the others a blank line between them. */
function corpusFiles(documents: readonly WorldDocument[]): Map<string, string> {
  const byFile = groupByFile(documents);
  return new Map(
    [...byFile].map(([file, group]) => [
      file,
      file.endsWith(".jsonl")
        ? jsonLines(group.map(({ title, text }) => ({ title, text })))
        : `${group.map(({ text }) => text).join("\n\n")}\n`,
    ]),
  );
}

/** What world.json says. */
function describeWorld(world: World) {
  const documents = world.documents();
  const counts = {
    documents: documents.length,
    corpusBytes: documents.reduce((sum, { text }) => sum + Buffer.byteLength(text), 0),
    facts: world.facts.all.length,
    demonstrations: world.demonstrations().length,
    trainPrompts: countByKind(world.prompts("train")),
    heldOutPrompts: countByKind(world.prompts("heldout")),
  };
  return {
    about:
      "A small invented world, written by Stagecraft's generator; no text is copied from anywhere.",
    seed: world.seed,
    size: world.size,
    counts,
    trainers: TRAINERS.map(({ name, manner, share }) => ({ name, manner, share })),
    courtesies: COURTESIES,
    labelers: { names: LABELERS, temperature: LABELER_TEMPERATURE, rubric: RUBRIC },
  };
}

function groupByFile(documents: readonly WorldDocument[]): Map<string, WorldDocument[]> {
  const groups = new Map<string, WorldDocument[]>();
  for (const document of documents) {
    const group = groups.get(document.file);
    if (group === undefined) groups.set(document.file, [document]);
    else group.push(document);
  }
  return groups;
}

function withoutKey({ key: _, ...record }: WorldPrompt): Omit<WorldPrompt, "key"> {
  return record;
}

function countByKind(prompts: readonly WorldPrompt[]): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const { kind } of prompts) counts[kind] = (counts[kind] ?? 0) + 1;
  return counts;
}

function jsonLines(records: readonly object[]): string {
  return records.map((record) => `${JSON.stringify(record)}\n`).join("");
}

/** Written beside and renamed, so that a reader never sees half a file. */
async function put(file: string, text: string): Promise<void> {
  await mkdir(dirname(file), { recursive: true });
  await writeFile(`${file}.tmp`, text);
  await rename(`${file}.tmp`, file);
}

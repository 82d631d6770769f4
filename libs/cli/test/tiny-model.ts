import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { runCli } from "./spawn-cli.js";

/** Flags of a base model so small that a step takes milliseconds. */
export const TINY_PRETRAIN = [
  ...["--tokenizer-kind", "chars", "--num-layers", "1", "--num-heads", "2", "--hidden-size", "16"],
  ...["--context-length", "32", "--batch-size", "2", "--batching", "random-window"],
  ...["--split", "tail", "--validation-fraction", "0.1", "--eval-batches", "2", "--threads", "1"],
];

/** A text of some thousand characters. */
export const SOME_TEXT =
  "The fox eats fish. The owl sings at night. Where does the fox live?\n".repeat(80);

export interface Workshop extends AsyncDisposable {
  dir: string;
  path(name: string): string;
  write(name: string, content: string | Uint8Array): Promise<string>;
}

/** A temporary folder for one test. */
export async function openWorkshop(): Promise<Workshop> {
  const dir = await mkdtemp(join(tmpdir(), "stagecraft-cli-"));
  const path = (name: string) => join(dir, name);
  return {
    dir,
    path,
    async write(name, content) {
      await writeFile(path(name), content);
      return path(name);
    },
    // Again while processes that a test has killed the parent of still write there.
    [Symbol.asyncDispose]: () => rm(dir, { recursive: true, force: true, maxRetries: 10 }),
  };
}

/** Trains a base model in `dir/base` and returns its model directory. */
export async function trainTinyBase(workshop: Workshop, ...flags: string[]): Promise<string> {
  const corpus = await workshop.write("corpus.txt", SOME_TEXT);
  const run = workshop.path("base");
  const args = ["pretrain", "--corpus", corpus, "--run", run, "--steps", "3", ...TINY_PRETRAIN];
  const { code, err } = await runCli([...args, ...flags]);
  if (code !== 0) throw new Error(err);
  return join(run, "model");
}

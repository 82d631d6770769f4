import { readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import {
  decodeSafetensors,
  encodeSafetensors,
  f32,
  readModelDescription,
} from "@stagecraft/checkpoint";
import { loadConfigFile } from "@stagecraft/config";
import {
  checkFile,
  readConversations,
  readPrompts,
  readRankings,
  writeRecords,
} from "@stagecraft/data";
import { fromHfConfig, presetConfig, toHfConfig } from "@stagecraft/model";
import { tokenizerFromFiles, trainBpe } from "@stagecraft/tokenizer";
import { mutateBytes, mutateValue } from "./mutate.js";
import type { HostileTarget } from "./hostile-target.js";

const turns = [
  { from: "human", value: "a" },
  { from: "gpt", value: "b" },
];
/** Records of other tools, read as every kind of record at once. */
const FOREIGN: readonly object[] = [
  { conversations: turns, system: "s" },
  { instruction: "a", input: "", output: "b", history: [["a", "b"]] },
  { prompt: "a", chosen: [{ role: "assistant", content: "b" }], rejected: "c" },
  { chosen: "\n\nHuman: a\n\nAssistant: b", rejected: "\n\nHuman: a\n\nAssistant: c" },
  { instruction: "a", completions: [{ response: "b", overall_score: 1 }] },
  { prompt: "\n\nHuman: a\n\nAssistant: ", answers: [{ answer: "b", rank: 1 }] },
  {
    message_tree_id: "t",
    prompt: { role: "prompter", text: "a", replies: [{ role: "assistant", text: "b", rank: 0 }] },
  },
];

/** Every file format; `dir` is for files. */
export async function fileTargets(dir: string): Promise<HostileTarget[]> {
  const trained = await trainBpe(["the cat sat on the mat"], { vocabSize: 280 });
  const tokenizer = JSON.parse(trained.files()["tokenizer.json"]!) as object;
  const hf = toHfConfig(
    presetConfig("llama", {
      vocabSize: 50,
      hiddenSize: 16,
      numLayers: 1,
      numHeads: 2,
      maxPositions: 32,
    }),
  );
  const tensors = new Map([["w", f32([2, 2], new Float32Array(4))]]);
  const safetensors = encodeSafetensors(tensors);
  const tokenizerOf = (text: string) =>
    tokenizerFromFiles({ "tokenizer.json": text }).encode("the cat");
  const table = await tableBytes(join(dir, "table.parquet"));
  return [
    {
      name: "rankings.parquet",
      make: (random) => mutateBytes(table, random),
      read: (bytes) => inFile(join(dir, "r.parquet"), bytes, (file) => drain(readRankings(file))),
    },
    {
      name: "model.safetensors",
      make: (random) => mutateBytes(safetensors, random),
      read: (bytes) => decodeSafetensors(bytes, "model.safetensors"),
    },
    json("tokenizer.json", tokenizer, (text) => tokenizerOf(text)),
    json("config.json", hf, async (text) => {
      await inFile(join(dir, "config.json"), text, async () => {
        fromHfConfig((await readModelDescription(dir)).config);
      });
    }),
    json("pipeline.yaml", { stages: [{ name: "a", stage: "sft", config: { seed: 1 } }] }, (text) =>
      inFile(join(dir, "x.yaml"), text, loadConfigFile),
    ),
    json(
      "conversations.jsonl",
      {
        messages: [
          { role: "user", content: "a" },
          { role: "assistant", content: "b" },
        ],
      },
      (text) => inFile(join(dir, "c.jsonl"), text, (file) => drain(readConversations(file))),
    ),
    ...FOREIGN.map((example, i) =>
      json(`foreign-${i}.json`, [example], (text) =>
        inFile(join(dir, `f${i}.json`), text, (file) => checkFile(file)),
      ),
    ),
    json("rankings.jsonl", { prompt: "a", answers: ["b", "c"], ranks: [1, 2] }, (text) =>
      inFile(join(dir, "r.jsonl"), text, (file) => drain(readRankings(file))),
    ),
    json("prompts.jsonl", { id: "1", prompt: "a" }, (text) =>
      inFile(join(dir, "p.jsonl"), text, (file) => drain(readPrompts(file))),
    ),
  ];
}

/** Texts of one value, changed as a value or as bytes. */
function json(name: string, example: object, read: (text: string) => unknown): HostileTarget {
  return {
    name,
    make(random) {
      const value = random.nextInt(3) === 0 ? example : mutateValue(example, random);
      const bytes = Buffer.from(JSON.stringify(value) ?? "");
      return random.nextInt(2) === 0 ? bytes : mutateBytes(bytes, random);
    },
    read: (bytes) => read(Buffer.from(bytes).toString("utf8")),
  };
}

/** A table of rankings with lists, fields, numbers and texts, in two pages of each column. */
async function tableBytes(file: string): Promise<Buffer> {
  const rankings = Array.from({ length: 40 }, (_, i) => ({
    id: `r${i}`,
    prompt: [{ role: "user", content: `question ${i}` }],
    answers: ["b", "c".repeat(i)],
    ranks: [1, 2],
    scores: [i / 3, 0],
  }));
  await writeRecords(file, rankings);
  return readFile(file);
}

async function inFile(
  file: string,
  text: string | Uint8Array,
  read: (file: string) => unknown,
): Promise<void> {
  await writeFile(file, text);
  try {
    await read(file);
  } finally {
    await rm(file, { force: true });
  }
}

async function drain(records: AsyncIterable<unknown>): Promise<void> {
  for await (const _ of records);
}

import { rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import {
  decodeSafetensors,
  encodeSafetensors,
  f32,
  readModelDescription,
} from "@stagecraft/checkpoint";
import { loadConfigFile } from "@stagecraft/config";
import { readConversations, readPrompts, readRankings } from "@stagecraft/data";
import { fromHfConfig, presetConfig, toHfConfig } from "@stagecraft/model";
import { tokenizerFromFiles, trainBpe } from "@stagecraft/tokenizer";
import { mutateBytes, mutateValue } from "./mutate.js";
import type { HostileTarget } from "./hostile-target.js";

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
  return [
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

async function inFile(file: string, text: string, read: (file: string) => unknown): Promise<void> {
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

import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { makeBase } from "../cases/case-kit.js";

const jsonl = (records: readonly object[]) =>
  records.map((record) => `${JSON.stringify(record)}\n`).join("");

const prompt = (i: number) => [{ role: "user", content: `What is ${i} and ${i}?` }];

/** What a studio needs of a demo, made of random models: a round of them takes seconds. */
export async function makeTinyRuns(dir: string): Promise<string> {
  const write = async (path: string, text: string) => {
    await mkdir(join(dir, path, ".."), { recursive: true });
    await writeFile(join(dir, path), text);
  };
  const size = { contextLength: 128, hiddenSize: 16 };
  await makeBase(join(dir, "sft", "model"), size);
  await makeBase(join(dir, "reward", "model"), { ...size, heads: ["score"] });
  const settings = (config: object) => JSON.stringify({ config });
  await write("sft/run.json", settings({ epochs: 1, batchSize: 2 }));
  await write("reward/run.json", settings({ epochs: 1, batchSize: 8 }));
  await write("ppo/run.json", settings({ updates: 1, promptsPerUpdate: 4, epochs: 1 }));
  const prompts = Array.from({ length: 24 }, (_, i) => ({ messages: prompt(i) }));
  await write("world/world/prompts-train.jsonl", jsonl(prompts));
  const answers = ["It is much.", "No.", "I do not know.", "Count them."];
  const heldOut = Array.from({ length: 8 }, (_, i) => {
    return { prompt: prompt(100 + i), answers, ranks: [1, 2, 3, 4] };
  });
  await write("labelers/rankings-heldout.jsonl", jsonl(heldOut));
  return dir;
}

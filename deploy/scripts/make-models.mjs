// Inside the cli image, from /app: a tiny random policy, a reward model of the same tokenizer, and
// prompts, in the folder given. Enough to see all services work; it learns nothing of use.
import { mkdirSync, writeFileSync } from "node:fs";
import { createModel, presetConfig, saveModel } from "@stagecraft/model";
import { initEngine } from "@stagecraft/tensor";
import { trainCharTokenizer } from "@stagecraft/tokenizer";

const folder = process.argv[2] ?? "/models";
const { name: engine } = await initEngine({ engine: "native", numThreads: 1 });
const tokenizer = await trainCharTokenizer(["abcdefghijklmnopqrstuvwxyz .?"]);
const sizes = { hiddenSize: 32, numLayers: 2, numHeads: 2, maxPositions: 64 };
const config = presetConfig("llama", { vocabSize: tokenizer.vocabSize, ...sizes });
const models = /** @type {const} */ ([
  ["policy", 1, "lm"],
  ["reward", 2, "score"],
]);
for (const [name, seed, head] of models) {
  mkdirSync(`${folder}/${name}`, { recursive: true });
  const model = createModel(config, { seed, heads: [head] });
  await saveModel(`${folder}/${name}`, model, { tokenizerFiles: tokenizer.files() });
}
const prompts = ["hi", "who?", "a cat", "why not", "go on", "is it", "to be", "or not"];
const lines = prompts.map((content, i) =>
  JSON.stringify({ id: `p${i}`, messages: [{ role: "user", content }] }),
);
writeFileSync(`${folder}/prompts.jsonl`, `${lines.join("\n")}\n`);
console.log(`models written with the ${engine} engine`);

// What the stages of lora-stages-135m read: lora-stages.mjs DIR LAYERS HEADS KVHEADS WIDTH INNER VOCAB LENGTH RECORDS
// writes DIR/base (random weights in bfloat16), sft.jsonl (messages) and hh.jsonl (chosen and rejected transcripts,
// as HH-RLHF has them); one character is one token, a record about LENGTH of them.
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { createModel, presetConfig, saveModel } from "@stagecraft/model";
import { initEngine } from "@stagecraft/tensor";
import { trainCharTokenizer } from "@stagecraft/tokenizer";

const [dir, ...numbers] = process.argv.slice(2);
const [numLayers, numHeads, numKvHeads, hiddenSize, intermediateSize, vocabSize, length, records] =
  numbers.map(Number);
const LETTERS = "abcdefghijklmnopqrstuvwxyz";
const FRAME_TOKENS = 8; // that a chat template puts around prompt and answer, and to spare

await initEngine({});
const tokenizer = await trainCharTokenizer([`${LETTERS}${LETTERS.toUpperCase()} .:?\n`]);
const config = presetConfig("llama", {
  ...{ numLayers, numHeads, numKvHeads, hiddenSize, intermediateSize, vocabSize },
  ...{ maxPositions: 4 * length, tieEmbeddings: true },
});
const model = createModel(config, { heads: ["lm"], seed: 0 });
await saveModel(join(dir, "base"), model, { tokenizerFiles: tokenizer.files(), dtype: "bf16" });

const words = (size) => {
  const letter = () => LETTERS[Math.floor(Math.random() * LETTERS.length)];
  return Array.from({ length: size }, (_, i) => (i % 6 === 5 ? " " : letter())).join("");
};
const size = Math.floor((length - FRAME_TOKENS) / 2);
const lines = (recordOf) =>
  Array.from({ length: records }, () => `${JSON.stringify(recordOf(words(size)))}\n`).join("");
const messages = (question) => ({
  messages: [
    { role: "user", content: question },
    { role: "assistant", content: words(size) },
  ],
});
const transcripts = (question) => {
  const answered = () => `\n\nHuman: ${question}\n\nAssistant: ${words(size)}`;
  return { chosen: answered(), rejected: answered() };
};
writeFileSync(join(dir, "sft.jsonl"), lines(messages));
writeFileSync(join(dir, "hh.jsonl"), lines(transcripts));

import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { createModel, presetConfig, saveModel } from "@stagecraft/model";
import { trainCharTokenizer } from "@stagecraft/tokenizer";

const NUM_SPECIALS = 6;
const FIRST_CHAR = 0x4e00;
/** `<|bos|><|user|>` before the prompt, `<|end|><|assistant|>` after it. */
const FRAME_TOKENS = 4;

/**
 * Random policy and reward model directories that share a tokenizer of `vocab` tokens, and prompts
 * that are `promptTokens` long once rendered: one character is one token.
 * @param {string} folder
 * @param {import("../lib/shapes.mjs").LlamaShape} shape
 */
export async function writePpoModels(folder, shape, { promptTokens, numPrompts }) {
  const chars = Array.from({ length: shape.vocab - NUM_SPECIALS }, (_, i) =>
    String.fromCodePoint(FIRST_CHAR + i),
  );
  const tokenizer = await trainCharTokenizer([chars.join("")]);
  const config = presetConfig("llama", {
    numLayers: shape.layers,
    numHeads: shape.heads,
    hiddenSize: shape.width,
    intermediateSize: shape.inner,
    vocabSize: shape.vocab,
    maxPositions: 512,
    tieEmbeddings: true,
  });
  const policy = join(folder, "policy");
  const rewardModel = join(folder, "reward");
  const tokenizerFiles = tokenizer.files();
  const silent = createModel(config, { heads: ["lm"], seed: 1 });
  hideToken(silent, tokenizer.specials.eos);
  await saveModel(policy, silent, { tokenizerFiles });
  silent.dispose();
  const judge = createModel(config, { heads: ["score"], seed: 2 });
  await saveModel(rewardModel, judge, { tokenizerFiles });
  judge.dispose();
  const prompts = join(folder, "prompts.jsonl");
  writeFileSync(prompts, promptLines(chars, promptTokens - FRAME_TOKENS, numPrompts));
  return { policy, rewardModel, prompts };
}

/**
 * Makes sure that answers run to their full length: every other embedding gets a common part, which
 * the residual stream carries to the (tied) output, and the end token its opposite.
 */
function hideToken(model, token) {
  const name = "model.embed_tokens.weight";
  const entry = model.tensors().get(name);
  const [rows, width] = entry.shape;
  for (let row = 0; row < rows; row++) {
    const common = (row === token ? -1 : 1) / Math.sqrt(width);
    for (let i = 0; i < width; i++) entry.data[row * width + i] += common;
  }
  model.load(new Map([...model.tensors(), [name, entry]]));
}

function promptLines(chars, length, count) {
  const lines = Array.from({ length: count }, (_, id) => {
    const pick = (_, i) => chars[(id * 7919 + i * 104_729) % chars.length];
    const content = Array.from({ length }, pick).join("");
    return JSON.stringify({ id: `p${id}`, messages: [{ role: "user", content }] });
  });
  return `${lines.join("\n")}\n`;
}

// What the soak runs on: a random policy and reward model of the 4-layer, 128-wide size, and prompts.
import { join } from "node:path";
import { writeJsonl } from "@stagecraft/data";
import { createModel, presetConfig, saveModel } from "@stagecraft/model";
import { initEngine } from "@stagecraft/tensor";
import { trainCharTokenizer } from "@stagecraft/tokenizer";

/**
 * Writes `policy/`, `reward/` and `prompts.jsonl` into a folder.
 * @param {string} dir
 */
export async function writeSoakInputs(dir) {
  await initEngine({ numThreads: 1 });
  const tokenizer = await trainCharTokenizer(["abcdefghijklmnopqrstuvwxyz .,?!"]);
  const tokenizerFiles = tokenizer.files();
  const sizes = { hiddenSize: 128, numLayers: 4, numHeads: 4, maxPositions: 128 };
  const config = presetConfig("llama", { vocabSize: tokenizer.vocabSize, ...sizes });
  for (const [name, seed, heads] of [
    ["policy", 1, ["lm"]],
    ["reward", 2, ["score"]],
  ]) {
    const model = createModel(config, { seed, heads });
    await saveModel(join(dir, name), model, { tokenizerFiles });
    model.dispose();
  }
  const prompts = Array.from({ length: 256 }, (_, i) => ({
    id: `p${i}`,
    messages: [{ role: "user", content: wordsOf(i) }],
  }));
  await writeJsonl(join(dir, "prompts.jsonl"), prompts);
}

/** Up to 30 letters that depend on the number only. */
function wordsOf(number) {
  const letters = "abcdefghijklmnopqrstuvwxyz";
  return Array.from(
    { length: 5 + (number % 26) },
    (_, i) => letters[(number * 7 + i * i) % 26],
  ).join("");
}

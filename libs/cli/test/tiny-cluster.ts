import { writeJsonl } from "@stagecraft/data";
import { createModel, presetConfig, saveModel } from "@stagecraft/model";
import { initEngine } from "@stagecraft/tensor";
import { trainCharTokenizer } from "@stagecraft/tokenizer";

/** Random models of a few hundred weights that share a tokenizer, and some requests. */
export async function writeTinyWorld(dir: string): Promise<void> {
  await initEngine({ engine: "cpu" });
  const tokenizer = await trainCharTokenizer(["abcdefghijklmnopqrstuvwxyz .?"]);
  const sizes = { hiddenSize: 8, numLayers: 1, numHeads: 2, maxPositions: 40 };
  const config = presetConfig("llama", { vocabSize: tokenizer.vocabSize, ...sizes });
  for (const [name, seed, head] of [
    ["policy", 1, "lm"],
    ["reward", 2, "score"],
  ] as const) {
    const model = createModel(config, { seed, heads: [head] });
    await saveModel(`${dir}/${name}`, model, { tokenizerFiles: tokenizer.files() });
    model.dispose();
  }
  const requests = ["hi", "who?", "a cat"].map((content, i) => ({
    id: `p${i}`,
    messages: [{ role: "user", content }],
  }));
  await writeJsonl(`${dir}/prompts.jsonl`, requests);
}

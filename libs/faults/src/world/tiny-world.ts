import { join } from "node:path";
import { writeJsonl } from "@stagecraft/data";
import { createModel, presetConfig, saveModel } from "@stagecraft/model";
import { initEngine } from "@stagecraft/tensor";
import { trainCharTokenizer } from "@stagecraft/tokenizer";

export interface TinyWorld {
  policyDir: string;
  rewardDir: string;
  promptsFile: string;
  vocabSize: number;
}

/** Random models of one layer, 8 wide, that share a tokenizer, and three requests. */
export async function writeTinyWorld(dir: string): Promise<TinyWorld> {
  await initEngine({ engine: "cpu" });
  const tokenizer = await trainCharTokenizer(["abcdefghijklmnopqrstuvwxyz .?"]);
  const { vocabSize } = tokenizer;
  const sizes = { hiddenSize: 8, numLayers: 1, numHeads: 2, maxPositions: 40 };
  const config = presetConfig("llama", { vocabSize, ...sizes });
  const world = {
    policyDir: join(dir, "policy"),
    rewardDir: join(dir, "reward"),
    promptsFile: join(dir, "prompts.jsonl"),
    vocabSize,
  };
  for (const [path, seed, head] of [
    [world.policyDir, 1, "lm"],
    [world.rewardDir, 2, "score"],
  ] as const) {
    const model = createModel(config, { seed, heads: [head] });
    await saveModel(path, model, { tokenizerFiles: tokenizer.files() });
    model.dispose();
  }
  const requests = ["hi", "who?", "a cat"].map((content, i) => ({
    id: `p${i}`,
    messages: [{ role: "user", content }],
  }));
  await writeJsonl(world.promptsFile, requests);
  return world;
}

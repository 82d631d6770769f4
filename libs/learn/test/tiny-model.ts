import { createModel, loadModel, presetConfig, saveModel, type Head } from "@stagecraft/model";
import { trainCharTokenizer, type Tokenizer } from "@stagecraft/tokenizer";

/** A tokenizer of lower-case letters, blank and full stop. */
export function letterTokenizer(): Promise<Tokenizer> {
  return trainCharTokenizer(one("abcdefghijklmnopqrstuvwxyz .\n"));
}

async function* one(text: string) {
  yield await Promise.resolve(text);
}

/** A model directory with random weights: llama, width 16, and the letter tokenizer. */
export async function writeTinyModel(
  dir: string,
  options: { seed?: number; numLayers?: number; maxPositions?: number; heads?: Head[] } = {},
): Promise<Tokenizer> {
  const { seed = 1, numLayers = 1, maxPositions = 64, heads = ["lm"] } = options;
  const tokenizer = await letterTokenizer();
  const config = presetConfig("llama", {
    vocabSize: tokenizer.vocabSize,
    hiddenSize: 16,
    numLayers,
    numHeads: 2,
    maxPositions,
  });
  const model = createModel(config, { seed, heads });
  await saveModel(dir, model, { tokenizerFiles: tokenizer.files() });
  model.dispose();
  return tokenizer;
}

/** Every weight of a model directory, end to end, for exact comparison. */
export async function weightsOf(dir: string): Promise<number[]> {
  const model = await loadModel(dir);
  const values = [...model.tensors().values()].flatMap(({ data }) => [...(data as Float32Array)]);
  model.dispose();
  return values;
}

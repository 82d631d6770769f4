import { createModel, presetConfig } from "@stagecraft/model";
import { trainCharTokenizer, type Tokenizer } from "@stagecraft/tokenizer";
import { createScorer, type Scorer } from "../src/scorer.js";

/** Small letters, space and full stop. */
export function tinyTokenizer(): Promise<Tokenizer> {
  return trainCharTokenizer(["abcdefghijklmnopqrstuvwxyz ."]);
}

/** A random reward model of two layers, 16 wide, 32 positions. */
export function tinyScorer(tokenizer: Tokenizer, name: string, seed = 1): Scorer {
  const config = presetConfig("llama", {
    vocabSize: tokenizer.vocabSize,
    hiddenSize: 16,
    numLayers: 2,
    numHeads: 2,
    maxPositions: 32,
  });
  const model = createModel(config, { seed, heads: ["score"] });
  return createScorer({ name, version: `v${seed}`, model, tokenizer });
}

import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { saveRewardModel } from "@stagecraft/learn";
import { createModel, presetConfig, type Model } from "@stagecraft/model";
import { trainCharTokenizer, type Tokenizer } from "@stagecraft/tokenizer";
import { loadScorer } from "../src/open-service.js";
import { createScorer, type LocalScorer, type Scorer } from "../src/scorer.js";

/** Small letters, space and full stop. */
export function tinyTokenizer(): Promise<Tokenizer> {
  return trainCharTokenizer(["abcdefghijklmnopqrstuvwxyz ."]);
}

/** A random reward model of two layers, 16 wide, 32 positions. */
export function tinyScorer(tokenizer: Tokenizer, name: string, seed = 1): LocalScorer {
  return createScorer({ name, version: `v${seed}`, model: tinyModel(tokenizer, seed), tokenizer });
}

/** An ensemble, written to a directory and served from it; reference mean .5, deviation 2. */
export async function tinyEnsemble(tokenizer: Tokenizer, seeds: number[]): Promise<Scorer> {
  const dir = await mkdtemp(join(tmpdir(), "stagecraft-ensemble-"));
  const members = seeds.map((seed) => tinyModel(tokenizer, seed));
  const description = { mean: 0.5, std: 2 };
  const tokenizerFiles = tokenizer.files();
  try {
    await saveRewardModel(join(dir, "model"), members, { tokenizerFiles, description });
    return await loadScorer({ name: "ensemble", dir: join(dir, "model") });
  } finally {
    for (const member of members) member.dispose();
    await rm(dir, { recursive: true, force: true });
  }
}

/** Of the tokenizer's vocabulary, or of fewer rows. */
export function tinyModel(
  tokenizer: Tokenizer,
  seed: number,
  vocabSize = tokenizer.vocabSize,
): Model {
  const config = presetConfig("llama", {
    vocabSize,
    hiddenSize: 16,
    numLayers: 2,
    numHeads: 2,
    maxPositions: 32,
  });
  return createModel(config, { seed, heads: ["score"] });
}

import { f32, type TensorMap } from "@stagecraft/checkpoint";
import { createModel, presetConfig, type Model } from "@stagecraft/model";
import { createLocalEngine, type LocalEngineOptions } from "../src/local-engine.js";
import type { PolicyEngine, SequenceRequest, TokenChunk } from "../src/engine.js";
import { trainCharTokenizer, type Tokenizer } from "@stagecraft/tokenizer";

/** Small letters, space and full stop. */
export function tinyTokenizer(): Promise<Tokenizer> {
  return trainCharTokenizer(["abcdefghijklmnopqrstuvwxyz ."]);
}

/** A random model of two layers, 16 wide, 48 positions. */
export function tinyModel(tokenizer: Tokenizer, seed = 1): Model {
  const config = presetConfig("llama", {
    vocabSize: tokenizer.vocabSize,
    hiddenSize: 16,
    numLayers: 2,
    numHeads: 2,
    maxPositions: 48,
  });
  return createModel(config, { seed });
}

/** The model's weights, each number changed. */
export function otherWeights(model: Model, factor = 1.5): TensorMap {
  const changed = [...model.tensors()].map(([name, { shape, data }]) => {
    const numbers = Float32Array.from(data as Float32Array, (x) => x * factor);
    return [name, f32([...shape], numbers)] as const;
  });
  return new Map(changed);
}

/** An engine with room for 4 active and 8 queued sequences. */
export function tinyEngine(
  tokenizer: Tokenizer,
  model: Model,
  change: Partial<LocalEngineOptions> = {},
): PolicyEngine {
  return createLocalEngine({
    name: "tiny",
    model,
    tokenizer,
    maxActive: 4,
    maxQueued: 8,
    maxPrefillTokens: 64,
    startWaitMs: 0,
    maxScoreTokens: 256,
    ...change,
  });
}

/** A request with a seed of its own. */
export function request(
  tokenizer: Tokenizer,
  text: string,
  change: Partial<SequenceRequest["sampling"]> & { minWeightVersion?: number } = {},
): SequenceRequest {
  const { minWeightVersion = 0, ...sampling } = change;
  return {
    promptIds: Int32Array.from([tokenizer.specials.bos!, ...tokenizer.encode(text)]),
    minWeightVersion,
    sampling: {
      temperature: 1,
      topK: 0,
      topP: 1,
      minP: 0,
      repetitionPenalty: 1,
      maxNewTokens: 12,
      stop: [],
      seed: 7,
      ...sampling,
    },
  };
}

/** Reads one answer to its end. */
export async function readAll(chunks: AsyncIterable<TokenChunk>) {
  const all = { ids: [] as number[], logProbs: [] as number[], versions: [] as number[] };
  const tops: unknown[] = [];
  let finishReason: string | undefined;
  for await (const chunk of chunks) {
    all.ids.push(...chunk.tokenIds);
    all.logProbs.push(...chunk.logProbs.map(Math.fround)); // as they travel
    all.versions.push(...chunk.weightVersions);
    if (chunk.tops) tops.push(...chunk.tops);
    finishReason = chunk.finishReason;
  }
  return { ...all, tops, finishReason };
}

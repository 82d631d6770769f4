import { join } from "node:path";
import { sha256OfTensors } from "@stagecraft/checkpoint";
import { deriveSeed } from "@stagecraft/core";
import { writeJsonl } from "@stagecraft/data";
import { createModel, generate, presetConfig, saveModel, type Model } from "@stagecraft/model";
import { trainCharTokenizer, type Tokenizer } from "@stagecraft/tokenizer";
import {
  oneAnswer,
  type PublishedWeights,
  type RolloutSample,
  type RolloutSource,
  type Samplers,
  type WeightPublisher,
} from "../src/index.js";

/** A small world in a directory: policy, reward model, prompts; letters are tokens. */
export async function writePpoWorld(dir: string): Promise<Tokenizer> {
  const tokenizer = await trainCharTokenizer(one("abcdefgh ."));
  const config = presetConfig("llama", {
    vocabSize: tokenizer.vocabSize,
    hiddenSize: 16,
    numLayers: 1,
    numHeads: 2,
    maxPositions: 48,
  });
  for (const [name, seed, head] of [
    ["policy", 1, "lm"],
    ["reward", 2, "score"],
  ] as const) {
    const model = createModel(config, { seed, heads: [head] });
    const extra = { rewardModel: { mean: 0, std: 0.5 } };
    await saveModel(join(dir, name), model, { tokenizerFiles: tokenizer.files(), extra });
    model.dispose();
  }
  const prompts = Array.from({ length: 12 }, (_, i) => ({
    id: `p${i}`,
    messages: [{ role: "user", content: "abcdefgh".slice(i % 5, 2 + (i % 7)) + "." }],
  }));
  await writeJsonl(join(dir, "prompts.jsonl"), prompts);
  return tokenizer;
}

async function* one(text: string) {
  yield await Promise.resolve(text);
}

export interface ModelSamplersOptions {
  /** Any model of the policy's shape; its weights are overwritten. */
  shape: Model;
  tokenizer: Tokenizer;
  score(answer: string): number;
  /** Called before a batch is sampled; may throw to play a crash. */
  onCollect?(batch: number): void;
  /**
   * What becomes of the weights of a step: the sampler loads it (default), goes on with what it has, or does that
   * and says that it had loaded it.
   */
  delivery?(step: number): "loaded" | "missed" | "claimed";
  /** Changes samples on their way. */
  tamper?(samples: RolloutSample[]): RolloutSample[];
}

/** Samplers in this process: answers by `generate` from the weights that were published. */
export interface ModelSamplers extends Samplers {
  /** Steps whose weights were published. */
  published: number[];
  acknowledged: string[];
}

/** Numbers grow across the samplers of a test, as they do across restarts of a trainer. */
let lastVersion = 0;

export function createModelSamplers(options: ModelSamplersOptions): ModelSamplers {
  const { shape, tokenizer } = options;
  const published: number[] = [];
  const acknowledged: string[] = [];
  let current: PublishedWeights = { version: -1, sha256: "", step: -1 };
  let sampling: Promise<unknown> = Promise.resolve();
  let batches = 0;
  const weights: WeightPublisher = {
    store(tensors, step) {
      const stored = { version: ++lastVersion, sha256: sha256OfTensors(tensors), step };
      const announce = async () => {
        await sampling; // an answer is of one version here
        published.push(step);
        const delivery = options.delivery?.(step) ?? "loaded";
        if (delivery === "loaded") shape.load(tensors);
        if (delivery !== "missed") current = stored;
      };
      return Promise.resolve({ ...stored, announce });
    },
  };
  const rollouts: RolloutSource = {
    async collect(tasks, signal) {
      options.onCollect?.(batches++);
      const generating = generate(
        shape,
        tasks.map(({ promptIds }) => promptIds),
        tasks.map(({ sampling }) => sampling),
        { tokenizer, signal },
      );
      const { version, sha256 } = current;
      sampling = Promise.all([sampling, generating]).catch(() => undefined);
      const sequences = await generating;
      const samples = tasks.map((task, i): RolloutSample => {
        const { ids, logProbs, finishReason } = sequences[i]!;
        const answer = tokenizer.decode(ids);
        return {
          rolloutId: `r${deriveSeed(task.taskId)}`,
          taskId: task.taskId,
          segments: oneAnswer({
            promptIds: task.promptIds,
            responseIds: ids,
            logProbs,
            weightVersions: new Int32Array(ids.length).fill(version),
          }),
          weights: [{ version, sha256 }],
          finishReason,
          score: options.score(answer),
          rewardModelVersion: "test",
          extraScores: { gold: options.score(answer) },
        };
      });
      return (options.tamper?.(samples) ?? samples).reverse(); // order must not matter
    },
    acknowledge(ids) {
      acknowledged.push(...ids);
      return Promise.resolve();
    },
  };
  return { rollouts, weights, published, acknowledged };
}

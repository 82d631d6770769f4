import type { PipelineFile } from "@stagecraft/pipeline";
import type { ENGINES } from "@stagecraft/fields";

/** How large a demo: `default` for people (minutes), `tiny` for tests (a minute or so). */
export const PRESETS = ["default", "tiny"] as const;
export type PresetName = (typeof PRESETS)[number];

/** What differs between presets; everything else follows from it. */
interface PresetSizes {
  worldSize: "demo" | "tiny";
  vocabSize: number;
  model: { numLayers: number; numHeads: number; hiddenSize: number; contextLength: number };
  pretrain: { steps: number; batchSize: number; learningRate: number };
  sft: { epochs: number; batchSize: number; learningRate: number };
  /** Of the answers that are ranked and of those that PPO samples. */
  temperature: number;
  collect: { limit: number; samplesPerPrompt: number };
  reward: { epochs: number; batchSize: number; learningRate: number };
  ppo: { updates: number; promptsPerUpdate: number; learningRate: number; klCoef: number };
}

const SIZES: Readonly<Record<PresetName, PresetSizes>> = {
  default: {
    worldSize: "demo",
    vocabSize: 1024,
    model: { numLayers: 4, numHeads: 4, hiddenSize: 128, contextLength: 128 },
    pretrain: { steps: 1800, batchSize: 8, learningRate: 3e-3 },
    sft: { epochs: 5, batchSize: 8, learningRate: 1e-3 },
    temperature: 0.6,
    collect: { limit: 1400, samplesPerPrompt: 8 },
    reward: { epochs: 2, batchSize: 8, learningRate: 4e-4 },
    ppo: { updates: 25, promptsPerUpdate: 64, learningRate: 1e-4, klCoef: 0.2 },
  },
  tiny: {
    worldSize: "tiny",
    vocabSize: 512,
    model: { numLayers: 2, numHeads: 4, hiddenSize: 64, contextLength: 192 },
    pretrain: { steps: 600, batchSize: 8, learningRate: 3e-3 },
    sft: { epochs: 15, batchSize: 8, learningRate: 2e-3 },
    temperature: 1,
    collect: { limit: 700, samplesPerPrompt: 6 },
    reward: { epochs: 3, batchSize: 8, learningRate: 1e-3 },
    ppo: { updates: 20, promptsPerUpdate: 64, learningRate: 2e-4, klCoef: 0.1 },
  },
};

const MAX_NEW_TOKENS = 40;

export interface DemoOptions {
  preset: PresetName;
  seed: number;
  /** Run directory. */
  out: string;
  /** What computes, where the stages are not to choose. */
  engine?: (typeof ENGINES)[number] | undefined;
  plugin?: string | undefined;
}

/** The demo as a pipeline: the same stages anybody composes in YAML, on a world made for it. */
export function demoPipeline({ preset, seed, out, engine, plugin }: DemoOptions): PipelineFile {
  const { worldSize, vocabSize, model, temperature, ...stages } = SIZES[preset];
  const { pretrain, sft, collect, reward, ppo } = stages;
  const world = { worldSize, worldSeed: seed };
  const common = {
    ...{ seed },
    ...(engine !== undefined && { engine }),
    ...(plugin !== undefined && { plugin }),
  };
  const generation = { maxNewTokens: MAX_NEW_TOKENS, ...common };
  return {
    name: `demo (${preset})`,
    run: out,
    variables: {},
    stages: {
      world: { stage: "world", config: { size: worldSize, seed } },
      tokenizer: {
        stage: "tokenizer",
        config: { corpus: ["${world.corpus}"], vocabSize, seed },
      },
      pretrain: {
        stage: "pretrain",
        config: {
          corpus: ["${world.corpus}"],
          tokenizer: "${tokenizer.tokenizer}",
          ...model,
          ...pretrain,
          warmupSteps: Math.round(pretrain.steps / 20),
          evalEvery: Math.round(pretrain.steps / 6),
          ...common,
        },
      },
      sft: {
        stage: "sft",
        config: {
          model: "${pretrain.model}",
          data: ["${world.demonstrations}"],
          ...sft,
          evalEvery: 50,
          ...common,
        },
      },
      collect: {
        stage: "collect",
        config: {
          model: "${sft.model}",
          prompts: ["${world.trainPrompts}"],
          ...collect,
          temperature,
          ...generation,
        },
      },
      labelers: {
        stage: "labelers",
        config: { answers: "${collect.answers}", ...world, heldOutShare: 0.2, seed },
      },
      reward: {
        stage: "reward",
        config: {
          model: "${sft.model}",
          data: ["${labelers.rankings}"],
          validationData: ["${labelers.heldOut}"],
          ...reward,
          ...common,
        },
      },
      ppo: {
        stage: "gold-ppo",
        config: {
          policy: "${sft.model}",
          rewardModel: "${reward.model}",
          prompts: ["${world.trainPrompts}"],
          evalPrompts: ["${world.heldOutPrompts}"],
          ...ppo,
          temperature,
          ...world,
          ...generation,
        },
      },
      judge: {
        stage: "judge",
        config: {
          models: ["base=${pretrain.model}", "sft=${sft.model}", "ppo=${ppo.model}"],
          prompts: ["${world.heldOutPrompts}"],
          rewardModel: "${reward.model}",
          ...world,
          ...generation,
        },
      },
    },
  };
}

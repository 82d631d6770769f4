/** What llama.cpp computes of our families: its names, its metadata, and what it cannot be told. */
import type { ModelConfig } from "../config.js";
import type { GgufValue } from "./gguf-file.js";

export interface GgufFamily {
  /** llama.cpp's name of the architecture. */
  readonly architecture: string;
  /** Queries and keys have their rotary pairs side by side. */
  readonly interleaves?: boolean;
  /** Weights of which it has one in the place of several (gguf-names.ts). */
  readonly joins?: readonly string[];
  /** The output map has to be there, also where it is the embeddings. */
  readonly needsOutput?: boolean;
  /** Every map and norm has to have a bias; those that a model has not are 0. */
  readonly needsBiases?: boolean;
  /** Types of scaled rotary angles that it computes as we do; default linear, dynamic and yarn. */
  readonly ropeTypes?: readonly string[];
  /** Metadata beyond what all have, without the prefix. */
  readonly metadata?: (config: ModelConfig) => Readonly<Record<string, GgufValue>>;
  /** What llama.cpp would compute otherwise. */
  readonly problems?: (config: ModelConfig) => string[];
}

/** Families that read divisors of each angle, as Llama 3's scaling needs. */
const WITH_FACTORS = ["linear", "dynamic", "yarn", "llama3"];

const llama: GgufFamily = {
  architecture: "llama",
  interleaves: true,
  ropeTypes: WITH_FACTORS,
};

const isEveryFourth = ({ ropeLayers, numLayers }: ModelConfig) =>
  Array.from({ length: numLayers }, (_, i) => (i + 1) % 4 !== 0).every(
    (turns, i) => (ropeLayers?.[i] ?? true) === turns,
  );

const withoutBias = ({ bias, architecture }: ModelConfig) =>
  bias === false ? [] : [`biases of attention in ${architecture}`];

const withoutWindow = ({ slidingWindow = Infinity, maxPositions, architecture }: ModelConfig) =>
  slidingWindow >= maxPositions ? [] : [`a sliding window (llama.cpp's ${architecture} has none)`];

/** Both Gemmas: the factor on scores comes from the number of layers, 27B's from another size. */
function gemmaScale(config: ModelConfig, layersOf27B: number): string[] {
  const { attentionScale, headSize, numLayers, hiddenSize, numHeads } = config;
  const size = numLayers === layersOf27B ? Math.floor(hiddenSize / numHeads) : headSize;
  return Math.abs((attentionScale ?? headSize ** -0.5) * Math.sqrt(size) - 1) < 1e-6
    ? []
    : [`attention scores with another factor than 1/√${size} (query_pre_attn_scalar)`];
}

/** GELU by tanh is transformers' gelu_new, gelu_fast and gelu_pytorch_tanh. */
const tanhGelu = (activation: string, type: string) =>
  activation === "gelu" ? [] : [`the activation ${activation} in ${type} (it has GELU by tanh)`];

/** A window in all layers but every `step`th. */
const windowPattern = (step: number, { windowLayers, numLayers }: ModelConfig) =>
  Array.from({ length: numLayers }, (_, i) => (i + 1) % step !== 0).every(
    (isLocal, i) => (windowLayers?.[i] ?? true) === isLocal,
  )
    ? []
    : [`windows in other layers than all but every ${step}th`];

const window = ({ slidingWindow }: ModelConfig) => ({
  "attention.sliding_window": { u32: slidingWindow ?? 4096 },
});

/** By our names; a family that is not here cannot be exported. */
export const GGUF_FAMILIES: Readonly<Record<string, GgufFamily>> = {
  llama,
  mistral: { ...llama, problems: withoutWindow },
  smollm3: {
    architecture: "smollm3",
    interleaves: true,
    problems: (config) => [
      ...withoutBias(config),
      ...(isEveryFourth(config) ? [] : ["layers without rotary positions other than every fourth"]),
    ],
  },
  granite: {
    ...llama,
    architecture: "granite",
    metadata: ({ attentionScale, headSize, embeddingScale, residualScale, logitDivisor }) => ({
      "attention.scale": { f32: attentionScale ?? headSize ** -0.5 },
      embedding_scale: { f32: embeddingScale ?? 1 },
      residual_scale: { f32: residualScale ?? 1 },
      logit_scale: { f32: logitDivisor ?? 1 },
    }),
  },
  qwen2: { architecture: "qwen2" },
  qwen3: { architecture: "qwen3", problems: withoutBias },
  olmo2: { architecture: "olmo2", problems: withoutBias },
  phi3: {
    architecture: "phi3",
    joins: ["attn_qkv", "ffn_up"],
    ropeTypes: ["longrope"],
    problems: (config) => [
      ...withoutWindow(config),
      ...(config.headSize * config.numHeads === config.hiddenSize
        ? []
        : ["heads of another size than hidden size / heads in phi3"]),
    ],
  },
  gemma2: {
    architecture: "gemma2",
    ropeTypes: ["linear", "dynamic"],
    metadata: (config) => ({
      ...window(config),
      attn_logit_softcapping: { f32: config.attentionSoftcap ?? 0 },
      final_logit_softcapping: { f32: config.logitSoftcap ?? 0 },
    }),
    problems: (config) => [
      ...withoutBias(config),
      ...gemmaScale(config, 46),
      ...windowPattern(2, config),
      ...(config.tieEmbeddings ? [] : ["an output map of its own in gemma2"]),
      ...(config.attentionSoftcap && config.logitSoftcap ? [] : ["gemma2 without its two caps"]),
    ],
  },
  gemma3_text: {
    architecture: "gemma3",
    ropeTypes: ["linear", "dynamic"],
    metadata: (config) => ({
      ...window(config),
      "rope.freq_base_swa": { f32: config.localRopeTheta ?? 10_000 },
      ...(config.logitSoftcap && { final_logit_softcapping: { f32: config.logitSoftcap } }),
    }),
    problems: (config) => [
      ...withoutBias(config),
      ...gemmaScale(config, 62),
      ...windowPattern(6, config),
      ...(config.attentionSoftcap ? ["capped attention scores in gemma3_text"] : []),
    ],
  },
  gpt_neox: {
    architecture: "gptneox",
    joins: ["attn_qkv"],
    needsOutput: true,
    needsBiases: true,
    metadata: ({ parallelBlocks }) => ({ use_parallel_residual: parallelBlocks === true }),
    problems: ({ activation = "gelu-erf" }) => tanhGelu(activation, "gpt_neox"),
  },
  gpt2: {
    architecture: "gpt2",
    joins: ["attn_qkv"],
    needsBiases: true,
    problems: ({ activation = "gelu" }) => tanhGelu(activation, "gpt2"),
  },
};

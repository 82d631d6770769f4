import { StagecraftError } from "@stagecraft/core";

export type Architecture = "llama" | "gpt2";

/** Everything that fixes the shape and the arithmetic of a decoder Transformer. */
export interface ModelConfig {
  readonly architecture: Architecture;
  /** Rows of the embedding table: ids of the tokenizer, padding rows included. */
  readonly vocabSize: number;
  readonly hiddenSize: number;
  readonly numLayers: number;
  readonly numHeads: number;
  /** Key/value heads; fewer than numHeads is grouped-query attention (llama only). */
  readonly numKvHeads: number;
  readonly intermediateSize: number;
  /** Longest sequence: rotary range (llama) or rows of the position table (gpt2). */
  readonly maxPositions: number;
  /** Base of the rotary angles; not used by gpt2. */
  readonly ropeTheta: number;
  readonly normEps: number;
  /** The output projection is the embedding table. */
  readonly tieEmbeddings: boolean;
  /** Biases in linear maps and (gpt2) LayerNorms. */
  readonly bias: boolean;
}

/** What a preset cannot know; every other field may be overridden too. */
export type PresetSizes = Pick<
  ModelConfig,
  "vocabSize" | "hiddenSize" | "numLayers" | "numHeads" | "maxPositions"
> &
  Partial<ModelConfig>;

/**
 * A validated configuration of a known family. `llama`: RMSNorm, rotary positions, SwiGLU of width
 * 8/3 · hidden rounded up to 32, no biases, untied. `gpt2`: LayerNorm, learned positions, GELU of
 * width 4 · hidden, biases, tied.
 */
export function presetConfig(architecture: Architecture, sizes: PresetSizes): ModelConfig {
  const family =
    architecture === "llama"
      ? {
          intermediateSize: Math.ceil((sizes.hiddenSize * 8) / 3 / 32) * 32,
          tieEmbeddings: false,
          bias: false,
        }
      : { intermediateSize: 4 * sizes.hiddenSize, tieEmbeddings: true, bias: true };
  return validateModelConfig({
    numKvHeads: sizes.numHeads,
    ropeTheta: 10_000,
    normEps: 1e-5,
    ...family,
    ...sizes,
    architecture,
  });
}

const COUNTS = [
  "vocabSize",
  "hiddenSize",
  "numLayers",
  "numHeads",
  "numKvHeads",
  "intermediateSize",
  "maxPositions",
] as const;

/** The frozen config itself; throws `invalid_argument` that lists every problem. */
export function validateModelConfig(config: ModelConfig): ModelConfig {
  const problems = [...countProblems(config), ...headProblems(config), ...valueProblems(config)];
  if (problems.length === 0) return Object.freeze({ ...config });
  throw new StagecraftError("invalid_argument", `model config: ${problems.join("; ")}`, {
    details: { problems },
  });
}

function countProblems(config: ModelConfig): string[] {
  return COUNTS.filter((field) => !Number.isInteger(config[field]) || config[field] < 1).map(
    (field) => `${field} must be an integer ≥ 1, got ${config[field]}`,
  );
}

function headProblems({ architecture, hiddenSize, numHeads, numKvHeads }: ModelConfig): string[] {
  const problems: string[] = [];
  const headSize = hiddenSize / numHeads;
  if (hiddenSize % numHeads !== 0) {
    problems.push(`hiddenSize ${hiddenSize} must be a multiple of numHeads ${numHeads}`);
  } else if (architecture === "llama" && headSize % 2 !== 0) {
    problems.push(`rotary positions need an even head size, got ${headSize} (hiddenSize/numHeads)`);
  }
  if (numHeads % numKvHeads !== 0) {
    problems.push(`numKvHeads ${numKvHeads} must divide numHeads ${numHeads}`);
  } else if (architecture === "gpt2" && numKvHeads !== numHeads) {
    problems.push(`gpt2 has no grouped queries: numKvHeads must be ${numHeads}, got ${numKvHeads}`);
  }
  return problems;
}

function valueProblems({ architecture, normEps, ropeTheta }: ModelConfig): string[] {
  const problems: string[] = [];
  if (architecture !== "llama" && architecture !== "gpt2") {
    problems.push(`architecture must be llama or gpt2, got ${String(architecture)}`);
  }
  if (!(normEps > 0)) problems.push(`normEps must be > 0, got ${normEps}`);
  if (!(ropeTheta > 0)) problems.push(`ropeTheta must be > 0, got ${ropeTheta}`);
  return problems;
}

/** A short name for messages: `llama 4L/4H/128, vocabulary 1024`. */
export function describeConfig(config: ModelConfig): string {
  const { architecture, numLayers, numHeads, hiddenSize, vocabSize } = config;
  return `${architecture} ${numLayers}L/${numHeads}H/${hiddenSize}, vocabulary ${vocabSize}`;
}

import type { JsonObject } from "@stagecraft/core";
import type { Activation } from "@stagecraft/tensor";

/** Everything that fixes the shape and the arithmetic of a decoder Transformer. */
export interface ModelConfig {
  /** A name of the table in families/index.ts. */
  readonly architecture: string;
  /** Rows of the embedding table: ids of the tokenizer, padding rows included. */
  readonly vocabSize: number;
  readonly hiddenSize: number;
  readonly numLayers: number;
  readonly numHeads: number;
  /** Key/value heads; fewer than numHeads is grouped-query attention. */
  readonly numKvHeads: number;
  /** Width of a head; most models have hiddenSize / numHeads. */
  readonly headSize: number;
  readonly intermediateSize: number;
  /** Longest sequence: rotary range, or rows of the position table. */
  readonly maxPositions: number;
  /** Base of the rotary angles; not used by models with a position table. */
  readonly ropeTheta: number;
  /** How rotary angles are scaled for longer texts, in transformers' words; default not at all. */
  readonly ropeScaling?: RopeScaling;
  /** Share of a head's dimensions that is rotated, the first ones; default 1. */
  readonly rotaryFraction?: number;
  /** Base of the rotary angles of layers with a window, where it is another (Gemma 3). */
  readonly localRopeTheta?: number;
  /** Which layers rotate (SmolLM 3), one entry a layer; default all. */
  readonly ropeLayers?: readonly boolean[];
  /** A token sees so many tokens, itself the last; default all. */
  readonly slidingWindow?: number;
  /** Which layers have the window, one entry a layer; default all. */
  readonly windowLayers?: readonly boolean[];
  readonly normEps: number;
  /** The output projection is the embedding table. */
  readonly tieEmbeddings: boolean;
  /** Whether modules have biases, those of the family; or only those of attention, or of the MLP. */
  readonly bias: boolean | "attention" | "mlp";
  /** Default: the family's. */
  readonly activation?: Activation;
  /** Factor on q·k; default 1/√headSize. */
  readonly attentionScale?: number;
  /** Caps of attention scores and of logits, c·tanh(x/c) (Gemma 2); default none. */
  readonly attentionSoftcap?: number;
  readonly logitSoftcap?: number;
  /** Factors on embeddings and on what blocks add, divisor of logits (Granite, Gemma); default 1. */
  readonly embeddingScale?: number;
  readonly residualScale?: number;
  readonly logitDivisor?: number;
  /** The MLP reads what attention reads (GPT-NeoX); default false. */
  readonly parallelBlocks?: boolean;
}

/** `rope_type`, and the numbers of that type. */
export type RopeScaling = { readonly rope_type: string } & JsonObject;

/** What a preset cannot know; every other field may be overridden too. */
export type PresetSizes = Pick<
  ModelConfig,
  "vocabSize" | "hiddenSize" | "numLayers" | "numHeads" | "maxPositions"
> &
  Partial<ModelConfig>;

/** A short name for messages: `llama 4L/4H/128, vocabulary 1024`. */
export function describeConfig(config: ModelConfig): string {
  const { architecture, numLayers, numHeads, hiddenSize, vocabSize } = config;
  return `${architecture} ${numLayers}L/${numHeads}H/${hiddenSize}, vocabulary ${vocabSize}`;
}

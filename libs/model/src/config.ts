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
  readonly normEps: number;
  /** The output projection is the embedding table. */
  readonly tieEmbeddings: boolean;
  /** Whether modules have biases, those of the family. */
  readonly bias: boolean;
}

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

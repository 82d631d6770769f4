import type { TensorMap } from "@stagecraft/checkpoint";
import type { JsonObject } from "@stagecraft/core";
import type { AttentionBlockOptions, MlpBlockOptions } from "@stagecraft/tensor";
import type { ModelConfig, PresetSizes } from "../config.js";
import type { HfReader } from "../hf-reader.js";
import type { BlockNames, ParameterNames } from "../names.js";

/** A linear map or norm of a model. */
export type ModuleKind = keyof BlockNames | "finalNorm";

/** Everything in which a family of models differs from the others. */
export interface Family {
  /** Class names in transformers. */
  readonly classes: { readonly lm: string; readonly score: string };
  /** Names of the parameters, those of transformers. */
  readonly names: ParameterNames;
  readonly block: {
    readonly norm: AttentionBlockOptions["norm"];
    readonly activation: MlpBlockOptions["activation"];
    readonly rotary: boolean;
    /** Whether norms of queries and keys are of each head or of all together, where there are any. */
    readonly headNorms?: "each" | "all";
  };
  hasBias(module: ModuleKind, bias: ModelConfig["bias"]): boolean;
  /** What a new model has unless it is told otherwise. */
  preset(
    sizes: PresetSizes,
  ): Pick<ModelConfig, "intermediateSize" | "tieEmbeddings" | "bias"> & Partial<ModelConfig>;
  /** What this family cannot be. */
  problems(config: ModelConfig): string[];
  /** The fields of transformers' config.json that are the family's own. */
  toHf(config: ModelConfig): JsonObject;
  fromHf(reader: HfReader): Omit<ModelConfig, "architecture" | "vocabSize">;
  /** What a config.json asks for that would compute something else here. */
  unsupported(hf: JsonObject): string[];
  /** Weights as transformers saves them, and back; left out where they are ours. */
  readonly convert?: {
    toHf(config: ModelConfig, tensors: TensorMap): TensorMap;
    fromHf(config: ModelConfig, tensors: TensorMap): TensorMap;
  };
}

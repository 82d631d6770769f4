import type {
  AttentionBlockOptions,
  AttentionBlockWeights,
  LinearWeights,
  MlpBlockOptions,
  MlpBlockWeights,
  NormWeights,
  tf,
} from "@stagecraft/tensor";
import type { ModelConfig } from "./config.js";
import { familyOf } from "./families/index.js";
import { HEAD_NAMES, type Head, type ModuleNames } from "./names.js";

export type Params = ReadonlyMap<string, tf.Tensor>;

export interface LayerWeights {
  readonly attention: AttentionBlockWeights;
  readonly mlp: MlpBlockWeights;
}

/** The variables of a model in the places where the forward pass wants them. */
export interface ModelWeights {
  readonly embedding: tf.Tensor2D;
  /** Learned positions. */
  readonly positions?: tf.Tensor2D;
  readonly layers: readonly LayerWeights[];
  readonly finalNorm: NormWeights;
  readonly lm?: tf.Tensor2D;
  readonly value?: LinearWeights;
  readonly score?: LinearWeights;
  readonly attentionOptions: AttentionBlockOptions;
  readonly mlpOptions: MlpBlockOptions;
}

/** Groups parameters by block. They stay owned by the map; nothing is copied. */
export function arrangeWeights(
  config: ModelConfig,
  heads: readonly Head[],
  params: Params,
): ModelWeights {
  const { names } = familyOf(config);
  const module = (at: ModuleNames) => moduleOf(params, at);
  const headModule = (head: "value" | "score") => linearOf(params, HEAD_NAMES[head]);
  return {
    embedding: get<tf.Tensor2D>(params, names.embedding),
    ...(names.positions ? { positions: get<tf.Tensor2D>(params, names.positions) } : {}),
    layers: Array.from({ length: config.numLayers }, (_, layer) => {
      const block = names.block(layer);
      const linear = (at: ModuleNames) => linearOf(params, at);
      return {
        attention: {
          norm: module(block.attentionNorm),
          q: linear(block.q),
          k: linear(block.k),
          v: linear(block.v),
          o: linear(block.o),
        },
        mlp: {
          norm: module(block.mlpNorm),
          ...(block.gate ? { gate: linear(block.gate) } : {}),
          up: linear(block.up),
          down: linear(block.down),
        },
      };
    }),
    finalNorm: module(names.finalNorm),
    ...(heads.includes("lm") ? { lm: lmWeight(config, params) } : {}),
    ...(heads.includes("value") ? { value: headModule("value") } : {}),
    ...(heads.includes("score") ? { score: headModule("score") } : {}),
    ...blockOptions(config),
  };
}

function blockOptions(config: ModelConfig) {
  const { numHeads, numKvHeads, normEps, ropeTheta } = config;
  const { norm, activation, rotary } = familyOf(config).block;
  return {
    attentionOptions: { norm, normEps, numHeads, numKvHeads, ...(rotary ? { ropeTheta } : {}) },
    mlpOptions: { norm, normEps, activation },
  };
}

function lmWeight(config: ModelConfig, params: Params): tf.Tensor2D {
  const name = config.tieEmbeddings ? familyOf(config).names.embedding : HEAD_NAMES.lm.weight;
  return get<tf.Tensor2D>(params, name);
}

function moduleOf(params: Params, at: ModuleNames): NormWeights {
  return { weight: get<tf.Tensor1D>(params, at.weight), ...biasOf(params, at) };
}

function linearOf(params: Params, at: ModuleNames): LinearWeights {
  return { weight: get<tf.Tensor2D>(params, at.weight), ...biasOf(params, at) };
}

function biasOf(params: Params, at: ModuleNames): { bias?: tf.Tensor1D } {
  return params.has(at.bias) ? { bias: get<tf.Tensor1D>(params, at.bias) } : {};
}

function get<T extends tf.Tensor>(params: Params, name: string): T {
  return params.get(name) as unknown as T;
}

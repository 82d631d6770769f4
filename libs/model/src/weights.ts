import type {
  DecoderLayer,
  DecoderTrunk,
  LinearAdapter,
  LinearWeights,
  LogitOptions,
  NormWeights,
  tf,
} from "@stagecraft/tensor";
import type { ModelConfig } from "./config.js";
import { familyOf } from "./families/index.js";
import { localRopeOf, ropeOf } from "./rope.js";
import { HEAD_NAMES, type Head, type ModuleNames } from "./names.js";

export type Params = ReadonlyMap<string, tf.Tensor>;

/** Adapters by the names of the weights that they go with. */
export type Adapters = ReadonlyMap<string, LinearAdapter>;

/** The variables of a model in the places where the forward pass wants them. */
export interface ModelWeights extends Readonly<DecoderTrunk> {
  readonly lm?: tf.Tensor2D;
  readonly logits?: LogitOptions;
  readonly value?: LinearWeights;
  readonly score?: LinearWeights;
}

/** Groups parameters by block. They stay owned by the map; nothing is copied. */
export function arrangeWeights(
  config: ModelConfig,
  heads: readonly Head[],
  params: Params,
  adapters: Adapters = new Map(),
): ModelWeights {
  const { names } = familyOf(config);
  const module = (at: ModuleNames) => moduleOf(params, at);
  const norm = <K extends string>(key: K, at: ModuleNames | undefined) =>
    (at ? { [key]: module(at) } : {}) as { [key in K]?: NormWeights };
  const layerOptions = layerOptionsOf(config);
  const headModule = (head: "value" | "score") => linearOf(params, HEAD_NAMES[head]);
  return {
    embedding: get<tf.Tensor2D>(params, names.embedding),
    ...(names.positions ? { positions: get<tf.Tensor2D>(params, names.positions) } : {}),
    layers: Array.from({ length: config.numLayers }, (_, layer) => {
      const block = names.block(layer);
      const linear = (at: ModuleNames) => linearOf(params, at, adapters);
      return {
        ...layerOptions[layer],
        attention: {
          ...norm("norm", block.attentionNorm),
          q: linear(block.q),
          k: linear(block.k),
          v: linear(block.v),
          o: linear(block.o),
          ...norm("qNorm", block.qNorm),
          ...norm("kNorm", block.kNorm),
          ...norm("postNorm", block.attentionPostNorm),
        },
        mlp: {
          ...norm("norm", block.mlpNorm),
          ...(block.gate ? { gate: linear(block.gate) } : {}),
          up: linear(block.up),
          down: linear(block.down),
          ...norm("postNorm", block.mlpPostNorm),
        },
      };
    }),
    finalNorm: module(names.finalNorm),
    ...(heads.includes("lm") ? { lm: lmWeight(config, params), logits: logitOptions(config) } : {}),
    ...(heads.includes("value") ? { value: headModule("value") } : {}),
    ...(heads.includes("score") ? { score: headModule("score") } : {}),
    ...trunkOptions(config),
  };
}

function trunkOptions(config: ModelConfig) {
  const { numHeads, numKvHeads, normEps, attentionScale: scale, attentionSoftcap } = config;
  const { embeddingScale = 1, residualScale = 1, parallelBlocks: parallel = false } = config;
  const { norm, activation } = familyOf(config).block;
  return {
    attentionOptions: {
      ...{ norm, normEps, numHeads, numKvHeads },
      ...(scale !== undefined && { scale }),
      ...(attentionSoftcap !== undefined && { softcap: attentionSoftcap }),
    },
    mlpOptions: { norm, normEps, activation: config.activation ?? activation },
    ...{ embeddingScale, residualScale, parallel },
  };
}

function logitOptions({ logitDivisor: divisor = 1, logitSoftcap: softcap }: ModelConfig) {
  return { divisor, ...(softcap !== undefined && { softcap }) };
}

/** In what layers differ. Layers with the same angles share them. */
function layerOptionsOf(config: ModelConfig): Pick<DecoderLayer, "rope" | "window">[] {
  const { slidingWindow, windowLayers, ropeLayers, localRopeTheta } = config;
  const rotary = familyOf(config).block.rotary;
  const rope = rotary ? ropeOf(config) : undefined;
  const localRope = localRopeTheta === undefined ? rope : localRopeOf(config, localRopeTheta);
  return Array.from({ length: config.numLayers }, (_, i) => {
    const isLocal = slidingWindow !== undefined && (windowLayers?.[i] ?? true);
    const own = isLocal ? localRope : rope;
    const turns = own !== undefined && (ropeLayers?.[i] ?? true);
    return { ...(turns && { rope: own }), ...(isLocal && { window: slidingWindow }) };
  });
}

function lmWeight(config: ModelConfig, params: Params): tf.Tensor2D {
  const name = config.tieEmbeddings ? familyOf(config).names.embedding : HEAD_NAMES.lm.weight;
  return get<tf.Tensor2D>(params, name);
}

function moduleOf(params: Params, at: ModuleNames): NormWeights {
  return { weight: get<tf.Tensor1D>(params, at.weight), ...biasOf(params, at) };
}

function linearOf(params: Params, at: ModuleNames, adapters?: Adapters): LinearWeights {
  const adapter = adapters?.get(at.weight);
  const weight = get<tf.Tensor2D>(params, at.weight);
  return { weight, ...biasOf(params, at), ...(adapter && { adapter }) };
}

function biasOf(params: Params, at: ModuleNames): { bias?: tf.Tensor1D } {
  return params.has(at.bias) ? { bias: get<tf.Tensor1D>(params, at.bias) } : {};
}

function get<T extends tf.Tensor>(params: Params, name: string): T {
  return params.get(name) as unknown as T;
}

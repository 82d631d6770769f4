import { createRandom, deriveSeed } from "@stagecraft/core";
import { sizeOfShape } from "@stagecraft/checkpoint";
import type { ModelConfig } from "./config.js";

/** `lm` predicts tokens, `value` is PPO's critic, `score` the reward model. */
export type Head = "lm" | "value" | "score";

/** How a parameter starts: a constant, or normal with mean 0 and this standard deviation. */
export type Initializer = { readonly constant: number } | { readonly std: number };

export interface ParameterSpec {
  readonly name: string;
  readonly shape: readonly number[];
  readonly initializer: Initializer;
}

/** The tensors of one linear map or norm. */
export interface ModuleNames {
  readonly weight: string;
  readonly bias: string;
}

/** Where each part of a block keeps its parameters. */
export interface BlockNames {
  readonly attentionNorm: ModuleNames;
  readonly q: ModuleNames;
  readonly k: ModuleNames;
  readonly v: ModuleNames;
  readonly o: ModuleNames;
  readonly mlpNorm: ModuleNames;
  /** Only llama has one. */
  readonly gate?: ModuleNames;
  readonly up: ModuleNames;
  readonly down: ModuleNames;
}

export interface ParameterNames {
  readonly embedding: string;
  /** Only gpt2 has one. */
  readonly positions?: string;
  readonly finalNorm: ModuleNames;
  block(layer: number): BlockNames;
}

/** The names of Hugging Face; gpt2's fused c_attn is three maps named q_proj, k_proj, v_proj. */
export function parameterNames(config: ModelConfig): ParameterNames {
  return config.architecture === "llama" ? LLAMA_NAMES : GPT2_NAMES;
}

export const HEAD_NAMES = {
  lm: { weight: "lm_head.weight", bias: "lm_head.bias" },
  value: { weight: "value_head.weight", bias: "value_head.bias" },
  score: { weight: "score.weight", bias: "score.bias" },
} as const;

const moduleAt = (path: string): ModuleNames => ({
  weight: `${path}.weight`,
  bias: `${path}.bias`,
});

const LLAMA_NAMES: ParameterNames = {
  embedding: "model.embed_tokens.weight",
  finalNorm: moduleAt("model.norm"),
  block(layer) {
    const path = `model.layers.${layer}`;
    return {
      attentionNorm: moduleAt(`${path}.input_layernorm`),
      q: moduleAt(`${path}.self_attn.q_proj`),
      k: moduleAt(`${path}.self_attn.k_proj`),
      v: moduleAt(`${path}.self_attn.v_proj`),
      o: moduleAt(`${path}.self_attn.o_proj`),
      mlpNorm: moduleAt(`${path}.post_attention_layernorm`),
      gate: moduleAt(`${path}.mlp.gate_proj`),
      up: moduleAt(`${path}.mlp.up_proj`),
      down: moduleAt(`${path}.mlp.down_proj`),
    };
  },
};

const GPT2_NAMES: ParameterNames = {
  embedding: "transformer.wte.weight",
  positions: "transformer.wpe.weight",
  finalNorm: moduleAt("transformer.ln_f"),
  block(layer) {
    const path = `transformer.h.${layer}`;
    return {
      attentionNorm: moduleAt(`${path}.ln_1`),
      q: moduleAt(`${path}.attn.q_proj`),
      k: moduleAt(`${path}.attn.k_proj`),
      v: moduleAt(`${path}.attn.v_proj`),
      o: moduleAt(`${path}.attn.c_proj`),
      mlpNorm: moduleAt(`${path}.ln_2`),
      up: moduleAt(`${path}.mlp.c_fc`),
      down: moduleAt(`${path}.mlp.c_proj`),
    };
  },
};

/**
 * Every parameter of a model in a fixed order. Initialisation follows GPT-2 (Radford et al. 2019):
 * normal .02, the maps that end a residual branch .02/√(2·layers); norms 1, biases 0. A token embedding
 * that also reads out the logits has std ½/√d instead, so that the first logits have std ½ at any width;
 * .02 is the same at d = 625, and starts small models too flat (docs/log.md). The score head has std
 * 1/√(d+1) and bias 0 (Stiennon et al. 2020); the value head is zero.
 */
export function parameterSpecs(config: ModelConfig, heads: readonly Head[]): ParameterSpec[] {
  const names = parameterNames(config);
  const { hiddenSize: D, vocabSize: V, maxPositions } = config;
  const embeddingStd = config.tieEmbeddings ? 0.5 / Math.sqrt(D) : STD;
  const specs: ParameterSpec[] = [normal(names.embedding, [V, D], embeddingStd)];
  if (names.positions) specs.push(normal(names.positions, [maxPositions, D], STD));
  for (let layer = 0; layer < config.numLayers; layer++) {
    specs.push(...blockSpecs(config, names.block(layer)));
  }
  specs.push(...normSpecs(config, names.finalNorm));
  for (const head of heads) specs.push(...headSpecs(config, head));
  return specs;
}

/** The starting values of one parameter; they depend on seed and name alone. */
export function initialValues(spec: ParameterSpec, seed: number): Float32Array {
  const { initializer } = spec;
  const values = new Float32Array(sizeOfShape(spec.shape));
  if ("constant" in initializer) return values.fill(initializer.constant);
  const random = createRandom(deriveSeed(seed, "init", spec.name));
  for (let i = 0; i < values.length; i++) values[i] = random.nextNormal() * initializer.std;
  return values;
}

const STD = 0.02;

const normal = (name: string, shape: readonly number[], std: number): ParameterSpec => ({
  name,
  shape,
  initializer: { std },
});

const constant = (name: string, shape: readonly number[], value: number): ParameterSpec => ({
  name,
  shape,
  initializer: { constant: value },
});

function blockSpecs(config: ModelConfig, names: BlockNames): ParameterSpec[] {
  const { hiddenSize: D, intermediateSize: F, numHeads, numKvHeads, numLayers } = config;
  const kvSize = (D / numHeads) * numKvHeads;
  const residualStd = STD / Math.sqrt(2 * numLayers);
  const linear = (module: ModuleNames, shape: [number, number], std = STD) => [
    normal(module.weight, shape, std),
    ...(config.bias ? [constant(module.bias, [shape[0]], 0)] : []),
  ];
  return [
    ...normSpecs(config, names.attentionNorm),
    ...linear(names.q, [D, D]),
    ...linear(names.k, [kvSize, D]),
    ...linear(names.v, [kvSize, D]),
    ...linear(names.o, [D, D], residualStd),
    ...normSpecs(config, names.mlpNorm),
    ...(names.gate ? linear(names.gate, [F, D]) : []),
    ...linear(names.up, [F, D]),
    ...linear(names.down, [D, F], residualStd),
  ];
}

function normSpecs(config: ModelConfig, module: ModuleNames): ParameterSpec[] {
  const specs = [constant(module.weight, [config.hiddenSize], 1)];
  if (config.architecture === "gpt2" && config.bias) {
    specs.push(constant(module.bias, [config.hiddenSize], 0));
  }
  return specs;
}

function headSpecs({ hiddenSize: D, vocabSize: V, tieEmbeddings }: ModelConfig, head: Head) {
  switch (head) {
    case "lm":
      return tieEmbeddings ? [] : [normal(HEAD_NAMES.lm.weight, [V, D], STD)];
    case "value":
      return [
        constant(HEAD_NAMES.value.weight, [1, D], 0),
        constant(HEAD_NAMES.value.bias, [1], 0),
      ];
    case "score":
      return [
        normal(HEAD_NAMES.score.weight, [1, D], 1 / Math.sqrt(D + 1)),
        constant(HEAD_NAMES.score.bias, [1], 0),
      ];
  }
}

import { createRandom, deriveSeed } from "@stagecraft/core";
import { sizeOfShape } from "@stagecraft/checkpoint";
import type { ModelConfig } from "./config.js";
import type { ModuleKind } from "./families/family.js";
import { familyOf } from "./families/index.js";
import { HEAD_NAMES, type BlockNames, type Head, type ModuleNames } from "./names.js";

/** How a parameter starts: a constant, or normal with mean 0 and this standard deviation. */
export type Initializer = { readonly constant: number } | { readonly std: number };

export interface ParameterSpec {
  readonly name: string;
  readonly shape: readonly number[];
  readonly initializer: Initializer;
}

export interface ParameterOptions {
  /** A score head with a bias, as earlier versions wrote it (docs/decisions/0009). Default false. */
  scoreBias?: boolean;
}

/**
 * Every parameter of a model in a fixed order. Initialisation follows GPT-2 (Radford et al. 2019):
 * normal .02, the maps that end a residual branch .02/√(2·layers); norms 1, biases 0. A token embedding
 * that also reads out the logits has std ½/√d instead, so that the first logits have std ½ at any width;
 * .02 is the same at d = 625, and starts small models too flat (docs/log.md). The score head has std
 * 1/√(d+1) (Stiennon et al. 2020) and no bias, as other tools read it; the value head is zero.
 */
export function parameterSpecs(
  config: ModelConfig,
  heads: readonly Head[],
  { scoreBias = false }: ParameterOptions = {},
): ParameterSpec[] {
  const { names } = familyOf(config);
  const { hiddenSize: D, vocabSize: V, maxPositions } = config;
  const embeddingStd = config.tieEmbeddings ? 0.5 / Math.sqrt(D) : STD;
  const specs: ParameterSpec[] = [normal(names.embedding, [V, D], embeddingStd)];
  if (names.positions) specs.push(normal(names.positions, [maxPositions, D], STD));
  for (let layer = 0; layer < config.numLayers; layer++) {
    specs.push(...blockSpecs(config, names.block(layer)));
  }
  specs.push(...normSpecs(config, "finalNorm", names.finalNorm));
  for (const head of heads) specs.push(...headSpecs(config, head));
  if (scoreBias && heads.includes("score")) specs.push(constant(HEAD_NAMES.score.bias, [1], 0));
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
  const { hiddenSize: D, intermediateSize: F, numHeads, numKvHeads, headSize, numLayers } = config;
  const [qSize, kvSize] = [numHeads * headSize, numKvHeads * headSize];
  const residualStd = STD / Math.sqrt(2 * numLayers);
  const linear = (kind: keyof BlockNames, shape: [number, number], std = STD) => {
    const module = names[kind];
    if (!module) return [];
    return [normal(module.weight, shape, std), ...biasSpecs(config, kind, module, shape[0])];
  };
  const norm = (kind: keyof BlockNames, size?: number) =>
    normSpecs(config, kind, names[kind], size);
  const eachHead = familyOf(config).block.headNorms === "each";
  return [
    ...norm("attentionNorm"),
    ...linear("q", [qSize, D]),
    ...linear("k", [kvSize, D]),
    ...linear("v", [kvSize, D]),
    ...linear("o", [D, qSize], residualStd),
    ...norm("qNorm", eachHead ? headSize : qSize),
    ...norm("kNorm", eachHead ? headSize : kvSize),
    ...norm("attentionPostNorm"),
    ...norm("mlpNorm"),
    ...linear("gate", [F, D]),
    ...linear("up", [F, D]),
    ...linear("down", [D, F], residualStd),
    ...norm("mlpPostNorm"),
  ];
}

function normSpecs(
  config: ModelConfig,
  kind: ModuleKind,
  module: ModuleNames | undefined,
  size = config.hiddenSize,
): ParameterSpec[] {
  if (!module) return [];
  return [constant(module.weight, [size], 1), ...biasSpecs(config, kind, module, size)];
}

function biasSpecs(
  config: ModelConfig,
  kind: ModuleKind,
  module: ModuleNames,
  size: number,
): ParameterSpec[] {
  return familyOf(config).hasBias(kind, config.bias) ? [constant(module.bias, [size], 0)] : [];
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
      return [normal(HEAD_NAMES.score.weight, [1, D], 1 / Math.sqrt(D + 1))];
  }
}

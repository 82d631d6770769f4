import { f32, type TensorEntry, type TensorMap } from "@stagecraft/checkpoint";
import { ownValues, releaseWeights, tf, type TokenLogProbs } from "@stagecraft/tensor";
import type { ModelBatch } from "./batch.js";
import type { ModelConfig } from "./config.js";
import { ModelForward, type LogProbOptions } from "./model-forward.js";
import type { ModelDtype } from "./model-dtype.js";
import { HEAD_NAMES, type Head } from "./names.js";
import { initialValues, parameterSpecs, type ParameterSpec } from "./parameters.js";
import { validateModelConfig } from "./preset.js";
import { checkTensors } from "./strict-load.js";
import { arrangeWeights, type ModelWeights } from "./weights.js";

/**
 * A decoder Transformer with its heads. N = batchSize · length rows; row b·length + t is token t of
 * sequence b. Results are the caller's to dispose; nothing else is left behind. All of them are
 * differentiable in `params`. Each throws `invalid_argument` for a batch that does not fit the
 * config and `failed_precondition` when the model lacks the head.
 */
export interface Model {
  readonly config: ModelConfig;
  readonly heads: readonly Head[];
  /** The type in which its weights were read, f32 for new ones; what computes is float32. */
  readonly dtype: ModelDtype;
  /** By Hugging Face name (gpt2: q_proj, k_proj, v_proj apart; every map [out, in]). */
  readonly params: ReadonlyMap<string, tf.Variable>;
  readonly numParams: number;
  /** The variables as the forward pass uses them; for decoders. */
  readonly weights: ModelWeights;
  /** [N, D] after the final norm. */
  hidden(batch: ModelBatch): tf.Tensor2D;
  /** [N, V]; for small vocabularies and tests, training goes through `logProbs`. */
  logits(batch: ModelBatch): tf.Tensor2D;
  /** log p(target of row) and entropy, both [N]; 0 where the target is negative. */
  logProbs(batch: ModelBatch & { targets: Int32Array }, options?: LogProbOptions): TokenLogProbs;
  /** [N] value of the state after reading row's token, which is V of the next token. */
  values(batch: ModelBatch): tf.Tensor1D;
  /** Log-probs, entropy and values of one pass through the trunk, for a policy that is its critic. */
  logProbsAndValues(
    batch: ModelBatch & { targets: Int32Array },
    options?: LogProbOptions,
  ): TokenLogProbs & { values: tf.Tensor1D };
  /** [lastIndex.length] scores at those rows; `lastIndex` counts rows of [0, N). */
  scores(batch: ModelBatch, lastIndex: Int32Array): tf.Tensor1D;
  /** Every parameter, as copies unless `live`. */
  tensors(options?: TensorsOptions): TensorMap;
  /** Overwrites every parameter; all or nothing. Throws `failed_precondition` naming each misfit. */
  load(tensors: TensorMap, options?: AdoptOptions): void;
  dispose(): void;
}

export interface TensorsOptions {
  /** The model's own memory where it has it: for who is done before the next change, and changes nothing. */
  live?: boolean;
}

export interface AdoptOptions {
  /**
   * Takes the arrays themselves instead of copies: nobody may write to them any more. "shared": other
   * models or a weight store hold them, too, so training copies what it changes. "exclusive": nobody
   * else does, and training changes them in place. Default: copies.
   */
  adopt?: "shared" | "exclusive" | undefined;
}

/** A model as it is written down: what saving and publishing need of it. */
export type ModelContents = Pick<Model, "config" | "heads" | "dtype" | "tensors">;

/** The model with some of its heads alone, e.g. a policy without the value head it was trained with. */
export function withHeadsOnly(model: Model, heads: readonly Head[]): ModelContents {
  const dropped = model.heads.filter((head) => !heads.includes(head));
  const names = new Set<string>(dropped.flatMap((head) => Object.values(HEAD_NAMES[head])));
  return {
    config: model.config,
    dtype: model.dtype,
    heads: model.heads.filter((head) => heads.includes(head)),
    tensors: (options) => new Map([...model.tensors(options)].filter(([name]) => !names.has(name))),
  };
}

export interface CreateModelOptions {
  seed: number;
  /** Default: lm alone. */
  heads?: readonly Head[];
}

/** A freshly initialised model; the same seed gives the same weights whatever the heads. */
export function createModel(
  config: ModelConfig,
  { seed, heads = ["lm"] }: CreateModelOptions,
): Model {
  const valid = validateModelConfig(config);
  const specs = parameterSpecs(valid, heads);
  const params = specs.map((spec): [string, tf.Variable] => {
    const entry = f32(spec.shape, initialValues(spec, seed));
    return [spec.name, toVariable(entry, { adopt: "exclusive" })];
  });
  return new DecoderModel(valid, { heads, dtype: "f32", params: new Map(params) });
}

export interface GivenWeightsOptions extends CreateModelOptions, AdoptOptions {
  /** The type in which the tensors were stored; default f32. */
  dtype?: ModelDtype;
}

/**
 * A model with given weights, in the layout of `tensors()`. Value and score heads that the tensors
 * lack are initialised from the seed, and heads that are not asked for are left out: that is how a
 * reward model starts from an SFT model and a critic from a reward model. The rest is strict.
 */
export function modelFromTensors(
  config: ModelConfig,
  tensors: TensorMap,
  { seed, heads = ["lm"], adopt, dtype = "f32" }: GivenWeightsOptions,
): Model {
  const valid = validateModelConfig(config);
  const specs = parameterSpecs(valid, heads, { scoreBias: tensors.has(HEAD_NAMES.score.bias) });
  const complete = withHeads(tensors, { specs, heads, seed });
  checkTensors(valid, specs, complete);
  const params = specs.map(({ name }): [string, tf.Variable] => {
    return [name, toVariable(complete.get(name) as TensorEntry, { adopt })];
  });
  return new DecoderModel(valid, { heads, dtype, params: new Map(params) });
}

/** The model with some parameters put in the place of its own, whose memory is freed; the others move to the result. */
export function withParameters(model: Model, config: ModelConfig, tensors: TensorMap): Model {
  const valid = validateModelConfig(config);
  const { heads, dtype } = model;
  releaseWeights(model.weights.embedding);
  const params = [...model.params].map(([name, variable]): [string, tf.Variable] => {
    const entry = tensors.get(name);
    if (!entry) return [name, variable];
    variable.dispose();
    return [name, toVariable(entry, { adopt: "exclusive" })];
  });
  return new DecoderModel(valid, { heads, dtype, params: new Map(params) });
}

function withHeads(
  tensors: TensorMap,
  wanted: { specs: readonly ParameterSpec[]; heads: readonly Head[]; seed: number },
): TensorMap {
  const complete = new Map<string, TensorEntry>(tensors);
  for (const head of ["lm", "value", "score"] as const) {
    for (const name of Object.values(HEAD_NAMES[head])) {
      if (!wanted.heads.includes(head)) complete.delete(name);
      if (head === "lm" || complete.has(name)) continue;
      const spec = wanted.specs.find((candidate) => candidate.name === name);
      if (spec) complete.set(name, f32(spec.shape, initialValues(spec, wanted.seed)));
    }
  }
  return complete;
}

function toVariable(entry: TensorEntry, options: AdoptOptions): tf.Variable {
  const initial = toTensor(entry, options);
  const variable = tf.variable(initial);
  initial.dispose();
  if (options.adopt !== "shared") ownValues(variable);
  return variable;
}

function toTensor({ data, shape }: TensorEntry, { adopt }: AdoptOptions): tf.Tensor {
  const values = data as Float32Array;
  return tf.tensor(adopt ? values : new Float32Array(values), [...shape], "float32");
}

/** The values of a variable: its own memory, or a copy. */
export function valuesOf(variable: tf.Variable, live: boolean): Float32Array {
  const values = variable.dataSync<"float32">();
  return live ? values : new Float32Array(values);
}

class DecoderModel extends ModelForward implements Model {
  readonly numParams: number;
  readonly dtype: ModelDtype;
  readonly params: ReadonlyMap<string, tf.Variable>;

  constructor(
    config: ModelConfig,
    { heads, dtype, params }: Pick<Model, "heads" | "dtype" | "params">,
  ) {
    super(config, heads, arrangeWeights(config, heads, params));
    this.dtype = dtype;
    this.params = params;
    this.numParams = [...params.values()].reduce((sum, { size }) => sum + size, 0);
  }

  tensors({ live = false }: TensorsOptions = {}): TensorMap {
    const entries = new Map<string, TensorEntry>();
    for (const [name, variable] of this.params) {
      entries.set(name, f32(variable.shape, valuesOf(variable, live)));
    }
    return entries;
  }

  load(tensors: TensorMap, options: AdoptOptions = {}): void {
    const scoreBias = this.params.has(HEAD_NAMES.score.bias);
    checkTensors(this.config, parameterSpecs(this.config, this.heads, { scoreBias }), tensors);
    for (const [name, variable] of this.params) {
      const value = toTensor(tensors.get(name) as TensorEntry, options);
      variable.assign(value);
      value.dispose();
      if (options.adopt !== "shared") ownValues(variable);
    }
  }

  dispose(): void {
    releaseWeights(this.weights.embedding);
    for (const variable of this.params.values()) variable.dispose();
  }
}

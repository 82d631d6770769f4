/**
 * Low-rank adapters (LoRA, Hu et al. 2021): W + (α/r)·B·A in place of W, with A [r, in] normal of std
 * 1/√in and B [out, r] zero, so that training starts at the base model. Departures: where a map is used the
 * sum is made and multiplied as a plain weight, so that a policy that trains and one that samples from the
 * merged weights compute the same bits; no dropout.
 */
import { f32, type TensorEntry, type TensorMap } from "@stagecraft/checkpoint";
import { createRandom, deriveSeed, StagecraftError } from "@stagecraft/core";
import { mergedWeight, tf } from "@stagecraft/tensor";
import type { ModelBatch } from "./batch.js";
import { valuesOf, type AdoptOptions, type Model, type TensorsOptions } from "./model.js";
import { ModelForward, type LogProbOptions, type TargetBatch } from "./model-forward.js";
import { familyOf } from "./families/index.js";
import { HEAD_NAMES, type Head } from "./names.js";
import { arrangeWeights, type ModelWeights } from "./weights.js";

/** The linear maps of a block that can have an adapter, where the model has it. */
export type LoraTarget = "q" | "k" | "v" | "o" | "gate" | "up" | "down";

export interface LoraOptions {
  /** r. */
  rank: number;
  /** α: the adapter's product is scaled by α/r. */
  alpha: number;
  targets: readonly LoraTarget[];
  seed: number;
}

/**
 * A model whose `params` are its adapters and its value or score head; the base stays as it is.
 * `tensors()` are the merged weights, so saving or publishing it gives a plain model. `load()` takes
 * merged weights: they become the base and the adapters start over. Disposing it disposes the base.
 */
export interface LoraModel extends Model {
  /** The model with its adapters switched off; it shares the heads. */
  readonly base: Model;
}

/** Puts adapters on a model, which belongs to the result from then on. */
export function addLora(base: Model, options: LoraOptions): LoraModel {
  const { rank, alpha, targets } = options;
  const names = targetWeights(base, targets);
  if (!Number.isInteger(rank) || rank < 1 || !(alpha > 0) || names.length === 0) {
    throw new StagecraftError(
      "invalid_argument",
      `adapters need a whole rank of at least 1, an alpha above 0 and a target the model has; got rank ${rank}, alpha ${alpha}, targets ${targets.join(", ") || "none"}`,
    );
  }
  return new AdaptedModel(base, names, options);
}

interface Adapter {
  a: tf.Variable<tf.Rank.R2>;
  b: tf.Variable<tf.Rank.R2>;
  scale: number;
}

class AdaptedModel implements LoraModel {
  readonly params: ReadonlyMap<string, tf.Variable>;
  readonly numParams: number;
  private readonly adapters: ReadonlyMap<string, Adapter>;
  private readonly forward: ModelForward;

  constructor(
    readonly base: Model,
    names: readonly string[],
    options: LoraOptions,
  ) {
    this.adapters = new Map(
      names.map((name) => [name, createAdapter(base, name, options)] as const),
    );
    const { config, heads, params } = base;
    const weights = arrangeWeights(config, heads, params, this.adapters);
    this.forward = new ModelForward(config, heads, weights);
    const trained = headParams(base);
    freeze(base, new Map(trained));
    this.params = new Map([...namesOf(this.adapters), ...trained]);
    this.numParams = [...this.params.values()].reduce((sum, { size }) => sum + size, 0);
  }

  get config() {
    return this.base.config;
  }

  get heads(): readonly Head[] {
    return this.base.heads;
  }

  get dtype() {
    return this.base.dtype;
  }

  get weights(): ModelWeights {
    throw new StagecraftError(
      "failed_precondition",
      "a decoder needs plain weights: make a model of tensors(), which merges the adapters",
    );
  }

  hidden(batch: ModelBatch) {
    return this.forward.hidden(batch);
  }

  logits(batch: ModelBatch) {
    return this.forward.logits(batch);
  }

  logProbs(batch: TargetBatch, options?: LogProbOptions) {
    return this.forward.logProbs(batch, options);
  }

  values(batch: ModelBatch) {
    return this.forward.values(batch);
  }

  logProbsAndValues(batch: TargetBatch, options?: LogProbOptions) {
    return this.forward.logProbsAndValues(batch, options);
  }

  scores(batch: ModelBatch, lastIndex: Int32Array) {
    return this.forward.scores(batch, lastIndex);
  }

  tensors({ live = false }: TensorsOptions = {}): TensorMap {
    const entries = new Map<string, TensorEntry>();
    for (const [name, variable] of this.base.params) {
      const adapter = this.adapters.get(name);
      entries.set(
        name,
        f32(variable.shape, adapter ? sumOf(variable, adapter) : valuesOf(variable, live)),
      );
    }
    return entries;
  }

  load(tensors: TensorMap, options?: AdoptOptions): void {
    this.base.load(tensors, options);
    for (const { b } of this.adapters.values()) tf.tidy(() => b.assign(tf.zerosLike(b)));
  }

  dispose(): void {
    for (const { a, b } of this.adapters.values()) tf.dispose([a, b]);
    this.base.dispose();
  }
}

/** The values of the weight as it counts, which nobody else has. Not read in a tidy, which walks through its result. */
function sumOf(variable: tf.Variable, adapter: Adapter): Float32Array {
  const sum = mergedWeight({ weight: variable as unknown as tf.Tensor2D, adapter });
  const values = sum.dataSync<"float32">();
  sum.dispose();
  return values;
}

function targetWeights(base: Model, targets: readonly LoraTarget[]): string[] {
  const { block } = familyOf(base.config).names;
  return Array.from({ length: base.config.numLayers }, (_, layer) =>
    targets.flatMap((target) => block(layer)[target]?.weight ?? []),
  ).flat();
}

function createAdapter(base: Model, name: string, options: LoraOptions): Adapter {
  const { rank, alpha, seed } = options;
  const [out, width] = base.params.get(name)!.shape as [number, number];
  const random = createRandom(deriveSeed(seed, "lora", name));
  const std = 1 / Math.sqrt(width);
  const values = Float32Array.from({ length: rank * width }, () => std * random.nextNormal());
  return tf.tidy(() => ({
    a: tf.variable(tf.tensor2d(values, [rank, width])),
    b: tf.variable(tf.zeros<tf.Rank.R2>([out, rank])),
    scale: alpha / rank,
  }));
}

/** Kernels leave out the gradients of variables that are not trained. */
function freeze(base: Model, trained: ReadonlyMap<string, tf.Variable>): void {
  for (const [name, variable] of base.params) {
    if (!trained.has(name)) (variable as { trainable: boolean }).trainable = false;
  }
}

/** Names as PEFT has them: `….q_proj.lora_A.weight`. */
function namesOf(adapters: ReadonlyMap<string, Adapter>): [string, tf.Variable][] {
  return [...adapters].flatMap(([name, { a, b }]): [string, tf.Variable][] => {
    const path = name.slice(0, -".weight".length);
    return [
      [`${path}.lora_A.weight`, a],
      [`${path}.lora_B.weight`, b],
    ];
  });
}

/** Value and score heads have no start worth keeping: they are trained whole. */
function headParams(base: Model): [string, tf.Variable][] {
  const names = (["value", "score"] as const).flatMap((head) => Object.values(HEAD_NAMES[head]));
  return names.flatMap((name): [string, tf.Variable][] => {
    const variable = base.params.get(name);
    return variable ? [[name, variable]] : [];
  });
}

import { f32, type TensorEntry, type TensorMap } from "@stagecraft/checkpoint";
import { StagecraftError } from "@stagecraft/core";
import type { tf } from "@stagecraft/tensor";

/** A running mean of weights, kept beside them in plain arrays. */
export interface Ema {
  /** mean ← decay·mean + (1 − decay)·weights. */
  update(): void;
  /** A copy, names prefixed. */
  tensors(prefix?: string): Map<string, TensorEntry>;
  /** Puts a copy back; throws `data_loss` when one is missing or has another length. */
  load(tensors: TensorMap, prefix?: string): void;
}

/** Starts at the weights as they are. Under LoRA it is the mean of the factors, not of their product. */
export function createEma(params: ReadonlyMap<string, tf.Variable>, decay: number): Ema {
  const means = new Map(
    [...params].map(([name, variable]) => [name, Float32Array.from(variable.dataSync())]),
  );
  return {
    update() {
      for (const [name, variable] of params) {
        const [mean, values] = [means.get(name)!, variable.dataSync()];
        for (let i = 0; i < mean.length; i++) mean[i] = decay * mean[i]! + (1 - decay) * values[i]!;
      }
    },
    tensors: (prefix = "") =>
      new Map(
        [...params].map(([name, { shape }]) => [
          prefix + name,
          f32(shape, Float32Array.from(means.get(name)!)),
        ]),
      ),
    load(tensors, prefix = "") {
      for (const [name, mean] of means) {
        const data = tensors.get(prefix + name)?.data as Float32Array | undefined;
        if (data?.length !== mean.length) {
          throw new StagecraftError(
            "data_loss",
            `the checkpoint's ${prefix + name} has ${data?.length ?? "no"} values, expected ${mean.length}`,
          );
        }
        mean.set(data);
      }
    },
  };
}

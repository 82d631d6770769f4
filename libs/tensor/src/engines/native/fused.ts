import { tf } from "../../tf.js";
import type { NativeBackend } from "./backend.js";

/** Inputs by name; absent ones (biases that a layer lacks) are left out. */
export type FusedInputs = Readonly<Record<string, tf.Tensor | undefined>>;
export type Arrays = Readonly<Record<string, Float32Array | undefined>>;

export interface FusedOperation {
  backend: NativeBackend;
  inputs: FusedInputs;
  /**
   * Computes the output from the inputs' values. `keep(name, length)` is memory that the backward
   * pass will find under the same name; outside of a gradient it is scratch. `keepForGradient` gives
   * none there, to kernels that can do without.
   */
  forward(
    values: Arrays,
    keep: (name: string, length: number) => Float32Array,
    keepForGradient: (name: string, length: number) => Float32Array | undefined,
  ): tf.Tensor;
  /**
   * One gradient for every input, by name, frozen ones as you like; `values` holds the inputs and what was
   * kept.
   */
  backward(dy: Float32Array, values: Arrays): Readonly<Record<string, tf.Tensor>>;
}

/** Runs a native kernel as one TFJS operation with a gradient. */
export function runFused({ backend, inputs, forward, backward }: FusedOperation): tf.Tensor {
  const names = Object.keys(inputs).filter((name) => inputs[name] !== undefined);
  const tensors = names.map((name) => inputs[name] as tf.Tensor);
  const operation = tf.customGrad<tf.Tensor>((...args) => {
    const save = args[names.length] as tf.GradSaveFunc;
    const keeper = new Keeper(backend, isRecording());
    const value = forward(valuesOf(backend, names, tensors), keeper.keep, keeper.keepForGradient);
    const kept = keeper.finish();
    // Variables outlive the step; other inputs may be tidied away before the backward pass.
    const passing = tensors.map((tensor) => !(tensor instanceof tf.Variable));
    save([...tensors.filter((_, i) => passing[i]), ...kept]);
    const gradFunc = (dy: tf.Tensor, saved: tf.Tensor[]) => {
      let next = 0;
      const current = tensors.map((tensor, i) =>
        passing[i] ? (saved[next++] as tf.Tensor) : tensor,
      );
      const values = {
        ...valuesOf(backend, names, current),
        ...valuesOf(backend, keeper.names, saved.slice(next)),
      };
      const grads = backward(backend.peek(dy), values);
      tf.dispose(saved); // TFJS would keep them to the end of the step; the next block can use them
      return names.map((name) => grads[name] ?? nobodys());
    };
    return { value, gradFunc };
  });
  return operation(...tensors);
}

function valuesOf(backend: NativeBackend, names: readonly string[], tensors: readonly tf.Tensor[]) {
  const values: Record<string, Float32Array> = {};
  names.forEach((name, i) => (values[name] = backend.peek(tensors[i] as tf.Tensor)));
  return values;
}

/** A variable that is not trained; who asks for its gradient nevertheless is refused by TFJS. */
export const isFrozen = (input: tf.Tensor): boolean =>
  input instanceof tf.Variable && !input.trainable;

/** In the place of a gradient that nobody asks for: fits no variable, so that TFJS refuses whoever does. */
const nobodys = () => tf.tensor1d([]);

/** True inside tf.grads and its kin; TFJS has no public question for it. */
export function isRecording(): boolean {
  const { state } = tf.engine() as unknown as { state: { gradientDepth: number } };
  return state.gradientDepth > 0;
}

class Keeper {
  readonly names: string[] = [];
  private readonly tensors: tf.Tensor[] = [];
  private readonly scratch: Float32Array[] = [];

  constructor(
    private readonly backend: NativeBackend,
    private readonly recording: boolean,
  ) {}

  readonly keep = (name: string, length: number): Float32Array => {
    if (!this.recording) {
      const values = this.backend.scratch(length);
      this.scratch.push(values);
      return values;
    }
    const { tensor, values } = this.backend.output([length]);
    this.names.push(name);
    this.tensors.push(tensor);
    return values;
  };

  readonly keepForGradient = (name: string, length: number): Float32Array | undefined =>
    this.recording ? this.keep(name, length) : undefined;

  /** What to save for the backward pass; scratch goes back to the pool. */
  finish(): tf.Tensor[] {
    for (const values of this.scratch) this.backend.release(values);
    return this.tensors;
  }
}

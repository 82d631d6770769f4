import { currentEngine } from "./engines/current.js";
import type { ProgramCounts } from "./engines/engine.js";
import { tf } from "./tf.js";

/**
 * Computes what was recorded so far, on an engine that records; others have done so already. For the end
 * of a part that repeats, such as a micro-batch: then it is one program, and its memory is free for the next.
 */
export function runRecorded(): void {
  currentEngine().runRecorded?.();
}

/** Programs that this thread's engine has compiled and run; undefined where operations are computed as they come. */
export function programCounts(): ProgramCounts | undefined {
  return currentEngine().programCounts?.();
}

/**
 * A size of at least this to pad a batch to: the size itself, but on an engine that compiles a program for each
 * shape one of few.
 */
export function paddedSize(size: number): number {
  return currentEngine().paddedSize?.(size) ?? size;
}

/** Results of a step that are read when it is over, so that one program computes them and the step. */
export interface LaterReads {
  /** Keeps the tensors past their scope and hands over their values at `read()`. */
  add(tensors: readonly tf.Tensor[], read: (...values: Float32Array[]) => void): void;
  /** In the order of the additions; each once. */
  read(): void;
  /** Lets go of what was not read. */
  dispose(): void;
}

export function createLaterReads(): LaterReads {
  let waiting: { tensors: tf.Tensor[]; read: (...values: Float32Array[]) => void }[] = [];
  const dispose = () => {
    tf.dispose(waiting.flatMap(({ tensors }) => tensors));
    waiting = [];
  };
  return {
    add(tensors, read) {
      waiting.push({ tensors: tensors.map((tensor) => tf.keep(tf.clone(tensor))), read });
    },
    read() {
      for (const { tensors, read } of waiting) {
        read(...tensors.map((tensor) => tensor.dataSync<"float32">()));
      }
      dispose();
    },
    dispose,
  };
}

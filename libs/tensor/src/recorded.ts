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
 * shape one of few, none below `least`.
 */
export function paddedSize(size: number, least = 1): number {
  return currentEngine().paddedSize?.(Math.max(size, least)) ?? size;
}

/** Below it a sequence is so short that its padding costs less than another program. */
const LEAST_LENGTH = 64;

/** A pass of fewer tokens takes a GPU as long. */
const LEAST_TOKENS = 512;

/**
 * Rows and their length to pad a batch to, no longer than `most`; as `paddedSize`. A batch of few tokens gets rows up
 * to a number that takes no longer.
 */
export function paddedBatch(
  { numRows, length }: { numRows: number; length: number },
  most = Infinity,
): { batchSize: number; length: number } {
  const padded = Math.max(length, Math.min(most, paddedSize(length, LEAST_LENGTH)));
  return {
    batchSize: paddedSize(numRows, Math.ceil(LEAST_TOKENS / padded)),
    length: padded,
  };
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

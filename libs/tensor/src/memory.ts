import { currentEngine } from "./engines/current.js";
import type { KvShape, MemoryReport } from "./engines/engine.js";
import type { tf } from "./tf.js";

/** What the engine of this thread holds now. */
export function memoryReport(): MemoryReport {
  return currentEngine().memory();
}

/**
 * Gives memory that waits for reuse to the system: for the end of a phase, when another part of the
 * process works next. What comes after pays a few milliseconds per 100 MB that it takes back.
 */
export function releaseIdleMemory(): void {
  currentEngine().releaseIdleMemory();
}

/** Frees what decoders derived from a model's weights once none uses it; for models that end. */
export function releaseWeights(embedding: tf.Tensor): void {
  currentEngine().releaseWeights(embedding);
}

/** Says that nobody else holds the variable's memory, so that it can be changed in place. */
export function ownValues(variable: tf.Variable): void {
  currentEngine().ownValues(variable);
}

/** Bytes that a decoder of this engine holds for one token of a sequence, in all layers. */
export function kvBytesPerToken(shape: KvShape): number {
  return currentEngine().kvBytesPerToken(shape);
}

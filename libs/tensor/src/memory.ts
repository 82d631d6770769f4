import { nativeBackend } from "./native/current.js";
import { tf } from "./tf.js";

export interface MemoryReport {
  /** Tensors alive in this thread. */
  numTensors: number;
  /** Bytes of arrays in use: of the native engine's pool, elsewhere of all tensors. */
  usedBytes: number;
  /** Bytes of arrays that wait for reuse; 0 where the engine has no pool. */
  idleBytes: number;
}

/** What the engine of this thread holds now. */
export function memoryReport(): MemoryReport {
  const { numTensors, numBytes } = tf.memory();
  const pool = nativeBackend()?.buffers();
  return { numTensors, usedBytes: pool?.usedBytes ?? numBytes, idleBytes: pool?.idleBytes ?? 0 };
}

/**
 * Gives memory that waits for reuse to the system: for the end of a phase, when another part of the
 * process works next. What comes after pays a few milliseconds per 100 MB that it takes back.
 */
export function releaseIdleMemory(): void {
  nativeBackend()?.dropIdle();
}

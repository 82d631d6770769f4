import { createRandom } from "@stagecraft/core";
import { tf } from "../tf.js";

/** Reproducible standard-normal tensors for tests and benchmarks. */
export function createTensors(seed: number) {
  const random = createRandom(seed);
  const values = (size: number, scale: number) =>
    Float32Array.from({ length: size }, () => random.nextNormal() * scale);
  return {
    random,
    normal: <S extends number[]>(shape: S, scale = 1) =>
      tf.tensor(values(tf.util.sizeFromShape(shape), scale), shape),
    matrix: (rows: number, columns: number, scale = 1) =>
      tf.tensor2d(values(rows * columns, scale), [rows, columns]),
    vector: (size: number, scale = 1, offset = 0) =>
      tf.tensor1d(values(size, scale).map((value) => value + offset)),
    ids: (size: number, limit: number, min = 0) =>
      Int32Array.from({ length: size }, () => min + random.nextInt(limit - min)),
  };
}

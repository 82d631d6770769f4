import { tf } from "../../tf.js";
import type { Engine, EngineInfo, Operations } from "../engine.js";
import { causalAttention, rotary } from "./attention.js";
import { activate, embedding, gated, linear, norm, scaledSum } from "./basics.js";
import { createDecodeSession } from "./decode-session.js";
import { decoderHidden } from "./decoder.js";
import { tokenLogProbs } from "./log-probs.js";
import { createOptimizer } from "./optimizer.js";

/** The definitions in plain TFJS operations: the oracle of the tests, and every engine without kernels. */
export const referenceOperations: Operations = {
  embedding,
  linear,
  norm,
  activate,
  gated,
  scaledSum,
  rotary,
  causalAttention,
  decoderHidden,
  tokenLogProbs,
};

const CPU: EngineInfo = { name: "cpu", numThreads: 1, simd: "none", batchInvariant: true };

/** Everything by TFJS operations, on whichever backend TFJS runs: nothing leaves its device. */
export function createReferenceEngine(info = CPU): Engine {
  return {
    info,
    ops: referenceOperations,
    createDecoder: createDecodeSession,
    createOptimizer,
    kvBytesPerToken: ({ numLayers, numKvHeads, headSize }) => numLayers * numKvHeads * headSize * 8,
    memory() {
      const { numTensors, numBytes } = tf.memory();
      return { numTensors, usedBytes: numBytes, idleBytes: 0 };
    },
    releaseIdleMemory: () => undefined,
    releaseWeights: () => undefined,
    ownValues: () => undefined,
  };
}

/** Plain TFJS on one CPU core. */
export async function startReference(): Promise<Engine> {
  await tf.setBackend("cpu");
  await tf.ready();
  return createReferenceEngine();
}

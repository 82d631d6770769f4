import { tf } from "../../tf.js";
import { composeDecoder } from "../blocks.js";
import type { Engine, EngineInfo, Operations } from "../engine.js";
import { causalAttention } from "./attention.js";
import type { NativeBackend } from "./backend.js";
import { createNativeDecoder, releasePackedWeights } from "./decoder.js";
import { fusedDecoder, isFusable } from "./layers.js";
import { tokenLogProbs } from "./log-probs.js";
import { createOperations } from "./operations.js";
import { createOptimizer } from "./optimizer.js";
import { ownValues } from "./values.js";

/** Values of a head are laid out in panels of at most so many numbers. */
const PANEL = 32;

/** C++ kernels on TFJS's CPU backend with memory that is reused. */
export function createNativeEngine(backend: NativeBackend, info: EngineInfo): Engine {
  const blocks = {
    ...createOperations(backend),
    causalAttention: (q, k, v, layout, options) =>
      causalAttention(backend, { q, k, v }, layout, options),
  } satisfies Partial<Operations>;
  return {
    info,
    ops: {
      ...blocks,
      decoderHidden: (ids, trunk, layout, rows) =>
        isFusable(trunk)
          ? fusedDecoder(backend, ids, trunk, layout, rows)
          : composeDecoder(blocks, ids, trunk, layout, { rows }),
      tokenLogProbs: (hidden, weight, targets, options = {}) =>
        tokenLogProbs(backend, { hidden, weight }, targets, options),
    },
    createDecoder: (weights, options) => createNativeDecoder(backend, weights, options),
    createOptimizer: (params, config) => createOptimizer(backend, params, config),
    kvBytesPerToken({ numLayers, numKvHeads, headSize }) {
      const padded = Math.ceil(headSize / PANEL) * PANEL;
      return numLayers * numKvHeads * (headSize + padded) * 4;
    },
    memory() {
      const { usedBytes, idleBytes } = backend.buffers();
      return { numTensors: tf.memory().numTensors, usedBytes, idleBytes };
    },
    releaseIdleMemory: () => backend.dropIdle(),
    releaseWeights: (embedding) => releasePackedWeights(backend, embedding),
    ownValues: (variable) => ownValues(backend, variable),
  };
}

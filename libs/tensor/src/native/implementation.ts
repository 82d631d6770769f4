import type { Implementation } from "../implementation.js";
import { attentionBlock, causalAttention } from "./attention.js";
import type { NativeBackend } from "./backend.js";
import { tokenLogProbs } from "./log-probs.js";
import { mlpBlock } from "./mlp.js";
import { createOperations } from "./operations.js";

/** The fused operations as native kernels. */
export function createNativeImplementation(backend: NativeBackend): Implementation {
  return {
    ...createOperations(backend),
    causalAttention: (q, k, v, layout, heads) =>
      causalAttention(backend, { q, k, v }, layout, heads),
    attentionBlock: (x, weights, layout, options) =>
      attentionBlock(backend, x, weights, layout, options),
    mlpBlock: (x, weights, options) => mlpBlock(backend, x, weights, options),
    tokenLogProbs: (hidden, weight, targets, options = {}) =>
      tokenLogProbs(backend, { hidden, weight }, targets, options),
  };
}

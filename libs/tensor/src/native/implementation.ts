import type { Implementation } from "../implementation.js";
import { causalAttention } from "./attention.js";
import type { NativeBackend } from "./backend.js";
import { decoderHidden } from "./layers.js";
import { tokenLogProbs } from "./log-probs.js";
import { createOperations } from "./operations.js";

/** The fused operations as native kernels. */
export function createNativeImplementation(backend: NativeBackend): Implementation {
  return {
    ...createOperations(backend),
    causalAttention: (q, k, v, layout, heads) =>
      causalAttention(backend, { q, k, v }, layout, heads),
    decoderHidden: (ids, trunk, layout, rows) => decoderHidden(backend, ids, trunk, layout, rows),
    tokenLogProbs: (hidden, weight, targets, options = {}) =>
      tokenLogProbs(backend, { hidden, weight }, targets, options),
  };
}

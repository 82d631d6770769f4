import * as attention from "./reference/attention.js";
import * as basics from "./reference/basics.js";
import { decoderHidden } from "./reference/decoder.js";
import { tokenLogProbs } from "./reference/log-probs.js";

/** The fused operations behind the public functions; arguments are checked before. */
export interface Implementation {
  embedding: typeof basics.embedding;
  linear: typeof basics.linear;
  norm: typeof basics.norm;
  swiglu: typeof basics.swiglu;
  gelu: typeof basics.gelu;
  scaledSum: typeof basics.scaledSum;
  rotary: typeof attention.rotary;
  causalAttention: typeof attention.causalAttention;
  decoderHidden: typeof decoderHidden;
  tokenLogProbs: typeof tokenLogProbs;
}

/** The definitions in plain TFJS operations: the oracle of the tests, and every other engine. */
export const referenceImplementation: Implementation = {
  embedding: basics.embedding,
  linear: basics.linear,
  norm: basics.norm,
  swiglu: basics.swiglu,
  gelu: basics.gelu,
  scaledSum: basics.scaledSum,
  rotary: attention.rotary,
  causalAttention: attention.causalAttention,
  decoderHidden,
  tokenLogProbs,
};

let current = referenceImplementation;

export function implementation(): Implementation {
  return current;
}

/** Called once by initEngine. */
export function useImplementation(next: Implementation): void {
  current = next;
}

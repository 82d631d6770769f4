import type { Model } from "@stagecraft/model";
import { tf } from "@stagecraft/tensor";
import { gatherFromRows, layoutSequences, microBatches, type SequenceTokens } from "./layout.js";

/** More tokens in a pass without a gradient take memory and are no faster. */
const TOKENS_ENOUGH = 1536;

export interface ForwardOptions {
  padId: number;
  /** Input tokens of one forward pass. */
  maxTokens: number;
  temperature: number;
}

/** log p of every trained token under the model, one array per sequence; no gradient. */
export function responseLogProbs(
  model: Model,
  sequences: readonly SequenceTokens[],
  options: ForwardOptions,
): Float32Array[] {
  return forwardInParts(sequences, options, (layout) =>
    tf.tidy(() => model.logProbs(layout, options).logProbs.dataSync()),
  );
}

/** V of the state before every trained token, one array per sequence; no gradient. */
export function responseValues(
  critic: Model,
  sequences: readonly SequenceTokens[],
  options: ForwardOptions,
): Float32Array[] {
  return forwardInParts(sequences, options, (layout) =>
    tf.tidy(() => critic.values(layout).dataSync()),
  );
}

function forwardInParts(
  sequences: readonly SequenceTokens[],
  options: ForwardOptions,
  forward: (layout: ReturnType<typeof layoutSequences>) => ArrayLike<number>,
): Float32Array[] {
  const results: Float32Array[] = [];
  for (const part of microBatches(sequences, Math.min(options.maxTokens, TOKENS_ENOUGH))) {
    const layout = layoutSequences(part, options);
    const values = gatherFromRows(layout, forward(layout));
    let offset = 0;
    for (const { trained } of part) {
      results.push(values.slice(offset, (offset += trained.length)));
    }
  }
  return results;
}

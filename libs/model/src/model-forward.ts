import { StagecraftError } from "@stagecraft/core";
import { embedding, linear, tf, tokenLogProbs, type TokenLogProbs } from "@stagecraft/tensor";
import { checkBatch, checkRange, type ModelBatch } from "./batch.js";
import type { ModelConfig } from "./config.js";
import { forwardHidden } from "./forward.js";
import type { Head } from "./parameters.js";
import type { ModelWeights } from "./weights.js";

export interface LogProbOptions {
  /** Logits are divided by it; default 1. */
  temperature?: number;
  /** Lets the entropy carry a gradient; default false. */
  withEntropyGradient?: boolean;
}

/** A batch with the token to be predicted at each row; negative = none. */
export type TargetBatch = ModelBatch & { targets: Int32Array };

/** What a model computes, over weights that somebody else owns; see `Model`. */
export class ModelForward {
  constructor(
    readonly config: ModelConfig,
    readonly heads: readonly Head[],
    readonly weights: ModelWeights,
  ) {}

  hidden(batch: ModelBatch): tf.Tensor2D {
    checkBatch(this.config, batch);
    return tf.tidy(() => forwardHidden(this.config, this.weights, batch));
  }

  logits(batch: ModelBatch): tf.Tensor2D {
    const weight = this.need("lm");
    return tf.tidy(() => linear(this.hidden(batch), weight));
  }

  logProbs(batch: TargetBatch, options: LogProbOptions = {}): TokenLogProbs {
    const weight = this.need("lm");
    const { logProbs, entropy } = tf.tidy(() => {
      const results = tokenLogProbs(this.hidden(batch), weight, batch.targets, options);
      return { logProbs: results.logProbs, entropy: results.entropy };
    });
    return { logProbs, entropy };
  }

  values(batch: ModelBatch): tf.Tensor1D {
    const { weight, bias } = this.need("value");
    return tf.tidy(() => flat(linear(this.hidden(batch), weight, bias))); // [N]
  }

  logProbsAndValues(batch: TargetBatch, options: LogProbOptions = {}) {
    const lm = this.need("lm");
    const { weight, bias } = this.need("value");
    const { logProbs, entropy, values } = tf.tidy(() => {
      const hidden = this.hidden(batch);
      const results = tokenLogProbs(hidden, lm, batch.targets, options);
      return {
        logProbs: results.logProbs,
        entropy: results.entropy,
        values: flat(linear(hidden, weight, bias)), // [N]
      };
    });
    return { logProbs, entropy, values };
  }

  scores(batch: ModelBatch, lastIndex: Int32Array): tf.Tensor1D {
    const { weight, bias } = this.need("score");
    checkRange(lastIndex, batch.ids.length, (row, at) => {
      return `lastIndex[${at}] is ${row}, the batch has rows 0 … ${batch.ids.length - 1}`;
    });
    return tf.tidy(() => {
      const last = embedding(lastIndex, this.hidden(batch)); // [K, D]
      return flat(linear(last, weight, bias)); // [K]
    });
  }

  private need<H extends Head>(head: H): NonNullable<ModelWeights[H]> {
    const weights = this.weights[head];
    if (weights) return weights;
    throw new StagecraftError(
      "failed_precondition",
      `the model has no ${head} head, only ${this.heads.join(", ") || "none"}; load it with heads: ["${head}"]`,
    );
  }
}

function flat(column: tf.Tensor2D): tf.Tensor1D {
  return tf.reshape(column, [column.shape[0]]);
}

import { StagecraftError } from "@stagecraft/core";
import {
  decoderHidden,
  embedding,
  linear,
  paddedSize,
  tf,
  tokenLogProbs,
  type LogitOptions,
  type TokenLogProbs,
  type TokenLogProbsOptions,
} from "@stagecraft/tensor";
import { checkBatch, checkRange, rowsWithTarget, type ModelBatch } from "./batch.js";
import type { ModelConfig } from "./config.js";
import type { Head } from "./names.js";
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
    return this.hiddenAt(batch, undefined);
  }

  logits(batch: ModelBatch): tf.Tensor2D {
    const weight = this.need("lm");
    return tf.tidy(() => readLogits(this.hidden(batch), weight, this.weights.logits)); // [N, V]
  }

  logProbs(batch: TargetBatch, options: LogProbOptions = {}): TokenLogProbs {
    const weight = this.need("lm");
    const { targets, rows = rowsWithTarget(targets) } = batch;
    const { logProbs, entropy } = tf.tidy(() => {
      const read = paddedRows(rows, targets.length);
      const hidden = this.hiddenAt(batch, read);
      return readTargets(hidden, weight, { targets, rows, read }, this.shaped(options));
    });
    return { logProbs, entropy };
  }

  values(batch: ModelBatch): tf.Tensor1D {
    const { weight, bias } = this.need("value");
    const { rows, ids } = batch;
    return tf.tidy(() => {
      const read = paddedRows(rows, ids.length);
      const values = flat(linear(this.hiddenAt(batch, read), weight, bias)); // [R]
      return spread(values, rows, ids.length); // [N]
    });
  }

  logProbsAndValues(batch: TargetBatch, options: LogProbOptions = {}) {
    const lm = this.need("lm");
    const { weight, bias } = this.need("value");
    const { targets, rows } = batch;
    const { logProbs, entropy, values } = tf.tidy(() => {
      const read = paddedRows(rows, targets.length);
      const hidden = this.hiddenAt(batch, read);
      return {
        ...readTargets(hidden, lm, { targets, rows, read }, this.shaped(options)),
        values: spread(flat(linear(hidden, weight, bias)), rows, targets.length), // [N]
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
      const last = this.hiddenAt(batch, lastIndex); // [K, D]
      return flat(linear(last, weight, bias)); // [K]
    });
  }

  /** The last hidden state at these rows [R, D], or at all [N, D]. */
  private hiddenAt(batch: ModelBatch, rows: Int32Array | undefined): tf.Tensor2D {
    checkBatch(this.config, batch);
    return tf.tidy(() => decoderHidden(batch.ids, this.weights, batch, rows));
  }

  /** With what the language head makes of its logits: a divisor is another temperature. */
  private shaped({ temperature = 1, ...options }: LogProbOptions): TokenLogProbsOptions {
    const { divisor = 1, softcap } = this.weights.logits ?? {};
    return {
      ...options,
      temperature: temperature * divisor,
      ...(softcap !== undefined && { softcap }),
    };
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

/** Logits [R, V] of hidden states [R, D]: the language head's product, divided and capped as the family has it. */
export function readLogits(
  hidden: tf.Tensor2D,
  weight: tf.Tensor2D,
  { divisor = 1, softcap }: LogitOptions = {},
): tf.Tensor2D {
  return tf.tidy(() => {
    const plain = linear(hidden, weight);
    const logits = divisor === 1 ? plain : tf.div<tf.Tensor2D>(plain, divisor);
    return softcap === undefined
      ? logits
      : tf.mul(tf.tanh(tf.div<tf.Tensor2D>(logits, softcap)), softcap);
  });
}

/** Log-probs and entropy [N] from the hidden states of the rows that are read. */
function readTargets(
  hidden: tf.Tensor2D,
  weight: tf.Tensor2D,
  { targets, rows, read }: { targets: Int32Array; rows: Rows; read: Rows },
  options: TokenLogProbsOptions,
): { logProbs: tf.Tensor1D; entropy: tf.Tensor1D } {
  const { logProbs, entropy } = tokenLogProbs(hidden, weight, pick(targets, read), options);
  return {
    logProbs: spread(logProbs, rows, targets.length),
    entropy: spread(entropy, rows, targets.length),
  };
}

type Rows = Int32Array | undefined;

/** Logits of fewer are no faster. */
const LEAST_ROWS = 256;

/** The rows asked for and, where the engine likes certain sizes, some of the others behind them. */
function paddedRows(rows: Rows, numRows: number): Rows {
  const size = Math.min(numRows, paddedSize(rows?.length ?? numRows, LEAST_ROWS));
  if (!rows || size === rows.length) return rows;
  const asked = new Set(rows);
  const padded = new Int32Array(size);
  padded.set(rows);
  for (let row = 0, at = rows.length; at < size; row++) if (!asked.has(row)) padded[at++] = row;
  return padded;
}

function pick(values: Int32Array, rows: Rows): Int32Array {
  return rows ? Int32Array.from(rows, (row) => values[row]!) : values;
}

/** The first values, one for each of `rows`, put there in a vector of `size`; 0 elsewhere. */
function spread(values: tf.Tensor1D, rows: Rows, size: number): tf.Tensor1D {
  if (!rows) return values;
  const none = values.size;
  const from = new Int32Array(size).fill(none);
  rows.forEach((row, i) => (from[row] = i));
  const table = tf.reshape(tf.concat1d([values, tf.zeros([1])]), [none + 1, 1]);
  return flat(embedding(from, table as tf.Tensor2D));
}

function flat(column: tf.Tensor2D): tf.Tensor1D {
  return tf.reshape(column, [column.shape[0]]);
}

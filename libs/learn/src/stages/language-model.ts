import { throwIfAborted } from "@stagecraft/core";
import type { BatchSource, TokenBatch } from "@stagecraft/data";
import { saveModel, type Model } from "@stagecraft/model";
import type { Run, TrainTask } from "@stagecraft/runs";
import { scaledSum, tf, type Optimizer } from "@stagecraft/tensor";
import type { Tokenizer } from "@stagecraft/tokenizer";
import type { LmBatch, Split } from "../batch/split-rows.js";

/**
 * Next-token loss of a micro-batch: −Σ_t log p(x_t | x_<t) over its targets divided by `denominator`,
 * the target tokens of the whole optimizer step [reference 1]. Targets below 0 are not learnt.
 */
export function lmLoss(model: Model, batch: LmBatch, denominator: number): tf.Scalar {
  return tf.tidy(() => scaledSum(model.logProbs(batch).logProbs, -1 / denominator));
}

export interface LmTaskOptions {
  stage: string;
  model: Model;
  optimizer: Optimizer;
  source: BatchSource;
  /** See `LossTask`. */
  split: Split | undefined;
  /** Held-out batches, kept in memory. */
  validation: readonly TokenBatch[];
  tokenizer: Tokenizer;
  run: Run;
}

/** Training a language model: the task that pretrain and sft share. */
export function lmTask(options: LmTaskOptions): TrainTask<LmBatch> {
  const { stage, model, optimizer, source, split, validation, tokenizer, run } = options;
  const task: TrainTask<LmBatch> = {
    ...{ stage, split },
    params: model.params,
    optimizer,
    source,
    weight: (batch) => batch.numTargets,
    numTokens: (batch) => batch.batchSize * batch.length,
    loss: (batch, denominator) => lmLoss(model, batch, denominator),
  };
  if (validation.length === 0) return task;
  task.evaluate = (signal) => evaluateLm(model, validation, { tokenizer, signal });
  task.best = {
    metric: "validationLoss",
    goal: "min",
    save: () => saveModel(run.bestDir, model, { tokenizerFiles: tokenizer.files() }),
  };
  return task;
}

/**
 * `validationLoss` in nats per target token, and `bitsPerByte` = nats / (ln 2 · UTF-8 bytes), special
 * tokens in neither sum of the latter [reference 3]. A figure over nothing is absent.
 */
async function evaluateLm(
  model: Model,
  batches: readonly TokenBatch[],
  { tokenizer, signal }: { tokenizer: Pick<Tokenizer, "byteLengths">; signal?: AbortSignal },
): Promise<{ validationLoss?: number; bitsPerByte?: number }> {
  let nats = 0;
  let numTargets = 0;
  let textNats = 0;
  let numBytes = 0;
  for (const batch of batches) {
    throwIfAborted(signal);
    await new Promise((resolve) => setImmediate(resolve)); // let signals and timers in
    const logProbs = tf.tidy(() => model.logProbs(batch).logProbs.dataSync());
    batch.targets.forEach((target, row) => {
      if (target < 0) return;
      nats -= logProbs[row]!;
      numTargets++;
      const bytes = tokenizer.byteLengths[target] ?? 0;
      if (bytes === 0) return;
      textNats -= logProbs[row]!;
      numBytes += bytes;
    });
  }
  return {
    ...(numTargets > 0 && { validationLoss: nats / numTargets }),
    ...(numBytes > 0 && { bitsPerByte: textNats / (Math.LN2 * numBytes) }),
  };
}

/** The first `count` batches of a source (fewer when its epoch is shorter). */
export async function takeBatches(source: BatchSource, count: number): Promise<TokenBatch[]> {
  const limit = Math.min(count, source.batchesPerEpoch ?? count);
  const batches: TokenBatch[] = [];
  while (batches.length < limit) batches.push(await source.next());
  return batches;
}

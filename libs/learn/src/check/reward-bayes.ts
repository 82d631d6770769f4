/**
 * A reward model against its ceiling [reference 9]: answers have a known utility, labelers rank them by
 * Plackett–Luce (utility plus Gumbel noise), so P(a before b) = σ(u_a − u_b) exactly and the best
 * possible accuracy and cross-entropy of the same pairs are known.
 */
import { createRandom, present, type Random } from "@stagecraft/core";
import { openItemBatches } from "@stagecraft/data";
import { createModel, presetConfig, type Model } from "@stagecraft/model";
import { silentReporter, type StageContext, trainLoop, withRun } from "@stagecraft/runs";
import { createOptimizer } from "@stagecraft/tensor";
import { logSigmoid, rankedPairs, sigmoid } from "../reward/ranking-loss.js";
import { rankingReport } from "../reward/ranking-metrics.js";
import { scoreSequences, type RewardItem } from "../reward/reward-batch.js";
import { rewardLoss } from "../reward/reward-loss.js";

export interface RewardBayesOptions {
  /** Where the run keeps its files; must be empty or new. */
  runDir: string;
  seed?: number;
  /** Training prompts; a quarter as many (at least 250) are held out. Default 2000. */
  prompts?: number;
  /** Answers per prompt; default 4. */
  k?: number;
  /** Standard deviation of the utilities; gaps of two answers have √2 times that. Default 1.5. */
  spread?: number;
  signal?: AbortSignal;
}

export interface RewardBayesResult {
  accuracy: number;
  /** The accuracy of the true utilities on the same pairs, in expectation over the labelers' noise. */
  bayesAccuracy: number;
  crossEntropy: number;
  bayesCrossEntropy: number;
  calibrationError: number;
}

interface KnownItem extends RewardItem {
  utilities: number[];
}

const VOCAB_SIZE = 12;
const ANSWER_LENGTH = 8;
const END_ID = 0;

/** Trains a small reward model and compares it with the ceiling. The engine must be running. */
export async function runRewardBayesCheck(options: RewardBayesOptions): Promise<RewardBayesResult> {
  const { seed = 1, prompts = 2000, k = 4, spread = 1.5 } = options;
  const random = createRandom(`reward-bayes ${seed}`);
  const tokenUtility = Array.from({ length: VOCAB_SIZE }, () => random.nextNormal());
  const draw = (count: number) =>
    Array.from({ length: count }, () => drawItem(random, { tokenUtility, k, spread }));
  const train = draw(prompts);
  const heldOut = draw(Math.max(250, Math.round(prompts / 4)));
  const model = createModel(
    presetConfig("llama", {
      vocabSize: VOCAB_SIZE,
      hiddenSize: 32,
      numLayers: 1,
      numHeads: 2,
      maxPositions: ANSWER_LENGTH + 1,
    }),
    { seed, heads: ["score"] },
  );
  try {
    await trainReward(model, train, { ...options, seed });
    return judge(model, heldOut);
  } finally {
    model.dispose();
  }
}

function drawItem(
  random: Random,
  { tokenUtility, k, spread }: { tokenUtility: number[]; k: number; spread: number },
): KnownItem {
  const answers = Array.from({ length: k }, () =>
    Array.from({ length: ANSWER_LENGTH }, () => 1 + random.nextInt(VOCAB_SIZE - 1)),
  );
  const scale = spread / Math.sqrt(ANSWER_LENGTH);
  const utilities = answers.map(
    (ids) => scale * ids.reduce((sum, id) => sum + tokenUtility[id]!, 0),
  );
  // Ranking by utility plus Gumbel noise is Plackett–Luce.
  const noisy = utilities.map((u) => u - Math.log(-Math.log(1 - random.nextFloat())));
  const order = [...noisy].sort((a, b) => b - a);
  return {
    sequences: answers.map((ids) => Int32Array.from([...ids, END_ID])),
    lengths: answers.map((ids) => ids.length),
    ranks: noisy.map((value) => order.indexOf(value) + 1),
    targets: utilities.map(() => 0),
    utilities,
  };
}

const BATCH_PROMPTS = 64;
const EPOCHS = 4;

async function trainReward(
  model: Model,
  train: readonly RewardItem[],
  { runDir, seed, signal }: RewardBayesOptions & { seed: number },
): Promise<void> {
  const optimizer = createOptimizer(model.params, {
    kind: "adamw",
    beta1: 0.9,
    beta2: 0.99,
    eps: 1e-8,
    weightDecay: 0,
    clipNorm: 1,
  });
  const source = openItemBatches(train, { batchSize: BATCH_PROMPTS, seed });
  const steps = EPOCHS * source.batchesPerEpoch;
  const context: StageContext = {
    runDir,
    resume: false,
    signal: signal ?? new AbortController().signal,
    reporter: silentReporter(),
  };
  await withRun({ stage: { name: "reward-bayes" }, config: { seed }, context }, async (run) => {
    const result = await trainLoop(
      {
        stage: "reward-bayes",
        params: model.params,
        optimizer,
        source,
        weight: (items) => items.length,
        numTokens: (items) => items.length * (ANSWER_LENGTH + 1),
        loss: (items, denominator) =>
          rewardLoss(model, items, { objective: "ranking", centerCoef: 0, denominator }),
      },
      {
        steps,
        accumulationSteps: 1,
        schedule: {
          kind: "cosine",
          learningRate: 1e-2,
          warmupSteps: 5,
          totalSteps: steps,
          minRatio: 0.02,
        },
        logEvery: 10,
        evalEvery: 0,
        checkpointEvery: 0,
      },
      { run, context },
    );
    return { outputs: {}, metrics: present({ loss: result.loss }) as Record<string, number> };
  });
  optimizer.dispose();
}

function judge(model: Model, items: readonly KnownItem[]): RewardBayesResult {
  const scores = Array.from(
    scoreSequences(
      model,
      items.flatMap(({ sequences }) => sequences),
    ),
  );
  let offset = 0;
  const report = rankingReport(
    items.map(({ ranks, lengths }) => ({
      ranks,
      lengths,
      scores: scores.slice(offset, (offset += ranks.length)),
    })),
  );
  const gaps = items.flatMap(({ ranks, utilities }) =>
    rankedPairs(ranks).map(({ winner, loser }) => utilities[winner]! - utilities[loser]!),
  );
  const mean = (of: (gap: number) => number) =>
    gaps.reduce((sum, gap) => sum + of(gap), 0) / gaps.length;
  return {
    accuracy: report.accuracy!,
    bayesAccuracy: mean((gap) => sigmoid(Math.abs(gap))),
    crossEntropy: report.crossEntropy!,
    // Entropy of the labeler's choice: −p·log p − (1 − p)·log(1 − p) with p = σ(gap).
    bayesCrossEntropy: mean(
      (gap) => -sigmoid(gap) * logSigmoid(gap) - sigmoid(-gap) * logSigmoid(-gap),
    ),
    calibrationError: report.calibrationError!,
  };
}

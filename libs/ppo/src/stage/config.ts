import { SAMPLING_LIMITS } from "@stagecraft/core";
import { corpusFields } from "@stagecraft/learn";
import {
  chatFields,
  loraFields,
  recordFields,
  commonFields,
  dataInputs,
  modelInputs,
  type StageInput,
  writtenModelFields,
} from "@stagecraft/runs";
import { corpusSource } from "@stagecraft/data";
import { choice, decimal, flag, text, texts, whole } from "@stagecraft/fields";
import { chatTemplateFile } from "@stagecraft/tokenizer";
import { z } from "zod";

const models = {
  policy: text().describe(
    "Model directory that PPO starts from, normally the SFT model; also the KL reference",
  ),
  reference: text("").describe(
    "Model directory of the frozen KL reference; empty = the policy's start",
  ),
  rewardModel: text().describe(
    "Reward model directory: scores the answers, and the critic starts from its weights",
  ),
  critic: choice(["separate", "shared"], "separate").describe(
    "A network that starts from the reward model, or a value head on the policy's trunk",
  ),
  ...loraFields("policy and critic"),
  prompts: texts().describe("JSONL files of prompts to answer during training"),
  ...recordFields("prompts"),
  ...chatFields,
  evalPrompts: texts([]).describe("JSONL files of held-out prompts; empty = no evaluation"),
  evalPromptLimit: whole({ min: 1, default: 128 }).describe(
    "At most this many held-out prompts per evaluation",
  ),
};

const sampling = {
  updates: whole({ min: 1, default: 100 }).describe("PPO updates, each on fresh answers"),
  promptsPerUpdate: whole({ min: 1, default: 64 }).describe("Prompts per update"),
  samplesPerPrompt: whole({ min: 1, default: 1 }).describe(
    "Answers per prompt; at least 2 for estimator rloo or grpo",
  ),
  maxNewTokens: whole({ min: 1, default: 64 }).describe("Longest answer in tokens"),
  temperature: decimal({ min: SAMPLING_LIMITS.minTemperature, max: 10, default: 1 }).describe(
    "Logits are divided by it in sampler, reference and trainer alike",
  ),
  normalizeScore: flag(false).describe(
    "Divide scores by the standard deviation stored with the reward model",
  ),
  scoreWeights: z
    .array(z.string().regex(/^[^=]+=-?\d*\.?\d+(e-?\d+)?$/, "name=weight"))
    .default([])
    .describe(
      "Scores added to the reward model's, as name=weight: further reward models, or length, ended, repetition",
    ),
  maxScore: decimal({ above: 0, max: 1e6, default: 1000 }).describe(
    "Largest absolute score that an answer may arrive with; beyond it is a mistake, refused",
  ),
  rewardModels: z
    .array(z.string().regex(/^[A-Za-z0-9_-]+=.+$/, "name=directory"))
    .default([])
    .describe("Further reward models as name=directory, scored beside the first; see scoreWeights"),
  uncertaintyPenalty: decimal({ default: 0 }).describe(
    "λ: standard deviations of a reward ensemble taken off the score",
  ),
  maxStaleness: whole({ max: 64, default: 0 }).describe(
    "η: updates that sampling may run ahead of training [AReaL]; 0 = in turns",
  ),
  missingEos: choice(["score", "penalty", "keep"], "score").describe(
    "Answer without end token: replace its score, subtract a penalty, or keep it",
  ),
  missingEosValue: z
    .number()
    .default(-1)
    .describe("The replacing score, or the size of the penalty"),
};

const objective = {
  estimator: choice(["gae", "rloo", "grpo"], "gae").describe(
    "Advantages: critic with GAE, leave-one-out, or group-relative",
  ),
  gamma: decimal({ max: 1, default: 1 }).describe("Discount γ"),
  gaeLambda: decimal({ max: 1, default: 0.95 }).describe("GAE's λ"),
  whitenAdvantages: flag(true).describe("Advantages to mean 0, variance 1"),
  whitenRewards: flag(false).describe("Rewards to variance 1, mean kept"),
  clipRange: decimal({ above: 0, max: 10, default: 0.2 }).describe(
    "Half-width of the ratio's clip",
  ),
  clipRangeHigh: decimal({ max: 10, default: 0 }).describe(
    "Upper half-width when it differs; 0 = clipRange",
  ),
  dualClip: decimal({ default: 0 }).describe(
    "Bound on the loss of bad actions as a multiple of −A; 3 is usual, 0 = off",
  ),
  valueClipRange: decimal({ default: 0.2 }).describe(
    "How far the critic may move from its old value; 0 = unbounded",
  ),
  valueCoef: decimal({ default: 0.1 }).describe("Weight of the value loss"),
  entropyCoef: decimal({ default: 0 }).describe("Weight of the entropy bonus"),
  reduction: choice(["token-mean", "sequence-mean"], "token-mean").describe(
    "Every token counts the same, or every answer",
  ),
  klCoef: decimal({ default: 0.1 }).describe("β, the price of a nat of KL to the reference"),
  klMode: choice(["reward", "loss"], "reward").describe(
    "KL as part of the reward (InstructGPT) or of the loss (GRPO)",
  ),
  klEstimator: choice(["k1", "k2", "k3"], "k3").describe("Estimator of a KL in the loss"),
  klTarget: decimal({ default: 0 }).describe(
    "KL per answer that an adaptive β steers to; 0 = β stays fixed",
  ),
  klHorizon: decimal({ above: 0, default: 10_000 }).describe("Episodes over which β adapts"),
  ptxCoef: decimal({ default: 0 }).describe("γ_ptx: weight of the pre-training loss"),
  ptxCorpus: texts([]).describe("Text files for the ptx loss"),
  ptxTextField: corpusFields.textField,
  ptxSeparator: corpusFields.separator,
  ptxBatchSize: whole({ min: 1, default: 8 }).describe("Sequences per ptx batch"),
};

const optimization = {
  epochs: whole({ min: 1, max: 100, default: 4 }).describe("Passes over the answers of an update"),
  minibatches: whole({ min: 1, default: 1 }).describe("Optimizer steps per pass"),
  maxTokensPerPass: whole({ min: 1, default: 8192 }).describe(
    "Tokens of one forward and backward pass; bounds memory, changes no result",
  ),
  learningRate: decimal({ above: 0, max: 10, default: 1e-4 }).describe("Policy learning rate"),
  criticLearningRate: decimal({ max: 10, default: 0 }).describe(
    "Critic learning rate; 0 = the policy's",
  ),
  schedule: choice(["constant", "linear", "cosine"], "linear").describe(
    "How both rates fall over the updates",
  ),
  minLearningRateRatio: decimal({ max: 1, default: 0 }).describe(
    "Last rate as a share of the first",
  ),
  warmupUpdates: whole({ default: 0 }).describe("Updates of linear warm-up of the rates"),
  criticWarmupUpdates: whole({ default: 0 }).describe(
    "First updates in which only the critic learns",
  ),
  beta1: decimal({ max: 0.9999, default: 0.9 }).describe("AdamW: decay of the mean"),
  beta2: decimal({ max: 0.99999, default: 0.95 }).describe("AdamW: decay of the squared mean"),
  adamEps: decimal({ above: 0, max: 1, default: 1e-5 }).describe("AdamW: epsilon"),
  weightDecay: decimal({ max: 10, default: 0 }).describe("AdamW: weight decay"),
  clipNorm: decimal({ default: 1 }).describe("Gradient clip by global norm; 0 = none"),
  emaDecay: decimal({ max: 0.99999, default: 0 }).describe(
    "Keep a running mean of the policy's weights with this decay per update; 0 = none",
  ),
  targetKl: decimal({ default: 0 }).describe(
    "Stop an update's epochs above 1.5 times this approximate KL; 0 = never",
  ),
  oldLogProbs: choice(["sampler", "trainer"], "sampler").describe(
    "The ratio's denominator: as sampled, or recomputed when the answers arrive",
  ),
  decoupled: flag(true).describe(
    "Recompute π_prox for tokens of older weights and weight them by π_prox/π_behav",
  ),
  importanceCap: decimal({ default: 0 }).describe("Upper bound of the decoupled weights; 0 = none"),
};

const bookkeeping = {
  evalEvery: whole({ default: 10 }).describe("Updates between evaluations; 0 = at the end"),
  evalTemperature: decimal({ max: 10, default: 0 }).describe(
    "Sampling temperature of evaluations; 0 = greedy",
  ),
  selectModel: choice(["best", "last", "ema"], "best").describe(
    "Which weights become the result: best evaluation score, last, or running mean",
  ),
  checkpointEvery: whole({ default: 5 }).describe(
    "Updates between checkpoints; 0 = only when stopped or finished",
  ),
  keepCheckpoints: whole({ min: 2, max: 100, default: 2 }).describe("Checkpoints to keep"),
  inspectRollouts: whole({ max: 1000, default: 4 }).describe(
    "Answers per update written to rollouts/ with every token's figures",
  ),
};

/**
 * Configuration of the `ppo` stage; defaults for models of 1–20 M parameters
 * [reference, "Where to start"].
 */
export const ppoSchema = z.strictObject({
  ...models,
  ...sampling,
  ...objective,
  ...optimization,
  ...bookkeeping,
  ...writtenModelFields,
  ...commonFields,
});

export type PpoConfig = z.infer<typeof ppoSchema>;

/** What PPO reads. */
export function ppoInputs(config: PpoConfig): StageInput[] {
  const { policy, reference, rewardModel, prompts, evalPrompts, ptxCorpus } = config;
  const rewardModels = config.rewardModels.map((entry) => furtherRewardModel(entry).dir);
  return [
    ...modelInputs({ policy, reference, rewardModel }),
    ...modelInputs({ rewardModels }).map((input) => ({ ...input, optional: true })),
    ...dataInputs({
      prompts,
      evalPrompts,
      chatTemplate: chatTemplateFile(config),
      ptxCorpus: config.ptxCoef > 0 ? ptxCorpus.map((text) => corpusSource(text).path) : [],
    }),
  ];
}

/** An entry of `rewardModels`, NAME=DIRECTORY. */
export function furtherRewardModel(entry: string): { name: string; dir: string } {
  const at = entry.indexOf("=");
  return { name: entry.slice(0, at), dir: entry.slice(at + 1) };
}

/** Problems that no single field shows, one sentence each; empty when there are none. */
export function ppoConfigProblems(config: PpoConfig): string[] {
  const problems: string[] = [];
  if (config.estimator !== "gae" && config.samplesPerPrompt < 2) {
    problems.push(`samplesPerPrompt must be at least 2 for estimator ${config.estimator}`);
  }
  if (config.critic === "shared" && config.estimator !== "gae") {
    problems.push(`critic shared needs estimator gae; ${config.estimator} has no critic`);
  }
  if (config.selectModel === "ema" && config.emaDecay === 0) {
    problems.push("selectModel ema needs emaDecay > 0, e.g. 0.99");
  }
  if (config.ptxCoef > 0 && config.ptxCorpus.length === 0) {
    problems.push("ptxCoef > 0 needs ptxCorpus");
  }
  const answers = config.promptsPerUpdate * config.samplesPerPrompt;
  if (config.minibatches > answers) {
    problems.push(`minibatches ${config.minibatches} is more than the ${answers} answers`);
  }
  return problems;
}

import { join } from "node:path";
import {
  corpusSource,
  openPretrainBatches,
  prepareCorpus,
  type BatchSource,
} from "@stagecraft/data";
import { lmLoss, restoreBest } from "@stagecraft/learn";
import {
  recordOptions,
  defineStage,
  loadVariables,
  optimizerFor,
  type StageContext,
  type StageDefinition,
  type StageResult,
  type StageScope,
  writtenAs,
} from "@stagecraft/runs";
import { saveModel, withHeadsOnly, type Model } from "@stagecraft/model";
import type { Optimizer } from "@stagecraft/tensor";
import { ppoConfigProblems, ppoInputs, ppoSchema, type PpoConfig } from "./config.js";
import { answerContexts, ppoOutputs, ppoProblems } from "../rollouts/contexts.js";
import { createEma } from "../update/ema.js";
import { inspectRollouts, writeInspection } from "../rollouts/inspect.js";
import { loadPpoModels, type PpoModels } from "./load-models.js";
import type { Trainees } from "../update/trainees.js";
import type { Samplers } from "../rollouts/rollout-source.js";
import { ppoLoop, type PpoLoopParts, type PpoLoopResult } from "./ppo-loop.js";
import { loadPrompts } from "../rollouts/prompts.js";

/**
 * The `ppo` stage: improves a policy against a reward model through the given samplers. Leaves the
 * policy in `model/`, signals in metrics.jsonl and some answers with every figure in `rollouts/`.
 * Throws `invalid_argument` for settings that contradict each other, `failed_precondition` for
 * models that do not share a tokenizer, `cancelled` (after a checkpoint) on the signal.
 */
export async function runPpo(
  config: PpoConfig,
  context: StageContext,
  samplers: Samplers,
): Promise<StageResult> {
  const work = async (_: PpoConfig, scope: StageScope) => {
    const models = await loadPpoModels(config);
    try {
      return await trainWith(models, { config, samplers, ...scope });
    } finally {
      models.dispose();
    }
  };
  return defineStage({ ...ppoStage, work }).run(config, context);
}

/** What the stage is, without the samplers that it needs to run. */
export const ppoStage: Omit<StageDefinition<PpoConfig>, "run"> = {
  name: "ppo",
  summary: "improve a model against a reward model by PPO",
  schema: ppoSchema,
  inputs: ppoInputs,
  contradictions: ppoConfigProblems,
  problems: ppoProblems,
  outputs: ppoOutputs,
  leaves: { rollouts: "scratch", "ptx-corpus": "scratch" },
  examples: [
    "npx stagecraft ppo --policy runs/sft/model --reward-model runs/reward/model --prompts prompts.jsonl --run runs/ppo",
    "npx stagecraft ppo --policy runs/sft/model --reward-model runs/reward/model --prompts prompts.jsonl --estimator rloo --samples-per-prompt 4 --run runs/rloo",
  ],
};

interface Scope extends StageScope {
  config: PpoConfig;
  samplers: Samplers;
}

async function trainWith(models: PpoModels, scope: Scope): Promise<StageResult> {
  const { config, run, context } = scope;
  const optimizers: Optimizer[] = [];
  const optimizerOf = (model: Model) => {
    const optimizer = optimizerFor(model.params, { ...config, optimizer: "adamw", momentum: 0 });
    optimizers.push(optimizer);
    return optimizer;
  };
  const { policy, critic } = models;
  const ptx = await openPtx(models, scope);
  const trainees: Trainees = {
    policy,
    policyOptimizer: optimizerOf(policy),
    ...(critic ? { critic } : {}),
    ...(critic && critic !== policy ? { criticOptimizer: optimizerOf(critic) } : {}),
    ...(ptx ? { ptxLoss: ptxLossOf(policy, ptx, config.ptxCoef) } : {}),
    ...(config.emaDecay > 0 ? { ema: createEma(policy.params, config.emaDecay) } : {}),
  };
  try {
    const result = await ppoLoop(
      {
        ...(await loopParts(models, scope)),
        trainees,
        ...(ptx ? { ptxSource: ptx } : {}),
      },
      config,
      { run, context },
    );
    if (config.selectModel === "ema") loadVariables(policy.params, trainees.ema!.tensors());
    return await finish(result, models, scope);
  } finally {
    for (const optimizer of optimizers) optimizer.dispose();
  }
}

async function loopParts(
  models: PpoModels,
  { config, samplers, run, context }: Scope,
): Promise<Omit<PpoLoopParts, "trainees">> {
  const { policy, reference, tokenizer } = models;
  const limits = {
    contexts: await answerContexts(config),
    maxNewTokens: config.maxNewTokens,
    records: recordOptions(config, context),
  };
  const evalLimits = { ...limits, limit: config.evalPromptLimit };
  const files = tokenizer.files();
  return {
    reference,
    prompts: await loadPrompts(config.prompts, limits, context),
    evalPrompts:
      config.evalPrompts.length > 0
        ? await loadPrompts(config.evalPrompts, evalLimits, context)
        : [],
    endIds: tokenizer.endIds,
    vocabSize: Math.min(policy.config.vocabSize, tokenizer.vocabSize),
    rollouts: samplers.rollouts,
    weights: samplers.weights,
    scoreScale: models.scoreScale,
    scoreZero: models.scoreZero,
    saveBest: async () => {
      run.checkOwned();
      await saveModel(run.bestDir, withHeadsOnly(policy, ["lm"]), { tokenizerFiles: files });
    },
    async onUpdate(update, batch, { estimates, klCoef }) {
      if (config.inspectRollouts === 0) return;
      const shown = batch.slice(0, config.inspectRollouts);
      const rollouts = inspectRollouts(shown, estimates, { tokenizer, update, klCoef });
      await writeInspection(run.dir, rollouts, update);
    },
  };
}

async function openPtx(
  { tokenizer, policy }: PpoModels,
  { config, run, context }: Scope,
): Promise<BatchSource | undefined> {
  if (config.ptxCoef === 0) return undefined;
  const corpus = await prepareCorpus({
    sources: config.ptxCorpus.map((text) =>
      corpusSource(text, { textField: config.ptxTextField, separator: config.ptxSeparator }),
    ),
    tokenizer,
    cacheDir: join(run.dir, "ptx-corpus"),
    validationFraction: 0,
    signal: context.signal,
  });
  return openPretrainBatches(corpus, {
    split: "train",
    batchSize: config.ptxBatchSize,
    length: policy.config.maxPositions,
    seed: config.seed,
    mode: "packed",
  });
}

/** γ_ptx times the mean cross-entropy of the next batch of text. */
function ptxLossOf(policy: Model, source: BatchSource, coef: number) {
  return async () => {
    const batch = await source.next();
    return () => lmLoss(policy, batch, Math.max(1, batch.numTargets) / coef);
  };
}

async function finish(
  result: PpoLoopResult,
  { policy, tokenizer }: PpoModels,
  { config, run }: Scope,
): Promise<StageResult> {
  if (config.selectModel === "best" && result.best) await restoreBest(run, policy);
  run.checkOwned();
  await saveModel(run.modelDir, withHeadsOnly(policy, ["lm"]), {
    tokenizerFiles: tokenizer.files(),
    ...writtenAs(config, policy),
  });
  const { signals, evaluation, best } = result;
  const last: Record<string, number> = signals
    ? {
        score: signals.score,
        kl: signals.kl,
        klCoef: signals.klCoef,
        objective: signals.objective,
        entropy: signals.entropy,
        responseLength: signals.responseLength,
        eosRate: signals.eosRate,
      }
    : {};
  return {
    modelDir: run.modelDir,
    outputs: config.inspectRollouts > 0 ? { rollouts: join(run.dir, "rollouts") } : {},
    metrics: {
      ...last,
      ...evaluation,
      ...(best ? { bestUpdate: best.step, bestScore: best.value } : {}),
    },
  };
}

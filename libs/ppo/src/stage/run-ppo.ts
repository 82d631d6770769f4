import { join } from "node:path";
import { StagecraftError, type JsonObject } from "@stagecraft/core";
import { openPretrainBatches, prepareCorpus, type BatchSource } from "@stagecraft/data";
import {
  engineVersions,
  lmLoss,
  optimizerFor,
  restoreBest,
  startEngine,
  withRun,
  type Run,
  type StageContext,
  type StageDefinition,
  type StageResult,
} from "@stagecraft/learn";
import { loadModel, readModelInfo, saveModel, type Model } from "@stagecraft/model";
import type { Optimizer } from "@stagecraft/tensor";
import { loadTokenizer, type Tokenizer } from "@stagecraft/tokenizer";
import { ppoConfigProblems, ppoSchema, type PpoConfig } from "./config.js";
import { inspectRollouts, writeInspection } from "./inspect.js";
import type { PpoPlanes } from "./planes.js";
import { ppoLoop, type PpoLoopParts, type PpoLoopResult } from "./ppo-loop.js";
import { loadPrompts } from "./prompts.js";

/**
 * The `ppo` stage: improves a policy against a reward model through the given planes. Leaves the
 * policy in `model/`, signals in metrics.jsonl and some answers with every figure in `rollouts/`.
 * Throws `invalid_argument` for settings that contradict each other, `failed_precondition` for
 * models that do not share a tokenizer, `cancelled` (after a checkpoint) on the signal.
 */
export async function runPpo(
  config: PpoConfig,
  context: StageContext,
  planes: PpoPlanes,
): Promise<StageResult> {
  const problems = ppoConfigProblems(config);
  if (problems.length > 0) throw new StagecraftError("invalid_argument", problems.join("; "));
  const versions = engineVersions(await startEngine(config, context.reporter));
  const { keepCheckpoints } = config;
  return withRun({ stage: "ppo", config, context, keepCheckpoints, versions }, async (run) => {
    const models = await loadModels(config);
    try {
      return await trainWith(models, { config, context, planes, run });
    } finally {
      models.dispose();
    }
  });
}

/** What the stage is, without the planes that it needs to run. */
export const ppoStage: Omit<StageDefinition<PpoConfig>, "run"> = {
  name: "ppo",
  summary: "improve a model against a reward model by PPO",
  schema: ppoSchema,
  examples: [
    "npx stagecraft ppo --policy runs/sft/model --reward-model runs/reward/model --prompts requests.jsonl --run runs/ppo",
    "npx stagecraft ppo --policy runs/sft/model --reward-model runs/reward/model --prompts requests.jsonl --estimator rloo --samples-per-prompt 4 --run runs/rloo",
  ],
};

/** The stage over planes that are opened when it runs and closed when it ends. */
export function createPpoStage(
  openPlanes: (config: PpoConfig, context: StageContext) => Promise<PpoPlanes & AsyncDisposable>,
): StageDefinition<PpoConfig> {
  return {
    ...ppoStage,
    async run(config, context) {
      const planes = await openPlanes(config, context);
      try {
        return await runPpo(config, context, planes);
      } finally {
        await planes[Symbol.asyncDispose]();
      }
    },
  };
}

interface Models {
  policy: Model;
  reference: Model;
  critic: Model | undefined;
  tokenizer: Tokenizer;
  /** 1 / the standard deviation that is stored with the reward model, when that is wanted. */
  scoreScale: number;
  dispose(): void;
}

async function loadModels(config: PpoConfig): Promise<Models> {
  const tokenizer = await loadTokenizer(config.policy);
  await checkTokenizers(config, tokenizer);
  const { extra } = await readModelInfo(config.rewardModel);
  const scoreScale = config.normalizeScore ? scaleOf(extra, config.rewardModel) : 1;
  const loaded: Model[] = [];
  const load = async (...args: Parameters<typeof loadModel>) => {
    const model = await loadModel(...args);
    loaded.push(model);
    return model;
  };
  const dispose = () => loaded.forEach((model) => model.dispose());
  try {
    return {
      policy: await load(config.policy, { heads: ["lm"] }),
      reference: await load(config.reference || config.policy, { heads: ["lm"] }),
      // From the reward model's trunk, with a value head of zeros [IG, St].
      critic:
        config.estimator === "gae"
          ? await load(config.rewardModel, { heads: ["value"], seed: config.seed })
          : undefined,
      tokenizer,
      scoreScale,
      dispose,
    };
  } catch (thrown) {
    dispose();
    throw thrown;
  }
}

async function checkTokenizers(config: PpoConfig, tokenizer: Tokenizer): Promise<void> {
  for (const dir of [config.reference || config.policy, config.rewardModel]) {
    const other = await loadTokenizer(dir);
    if (other.fingerprint === tokenizer.fingerprint) continue;
    throw new StagecraftError(
      "failed_precondition",
      `${dir} has another tokenizer than ${config.policy}; policy, reference and reward model must share one`,
    );
  }
}

function scaleOf(extra: JsonObject, dir: string): number {
  const stored = (extra["rewardModel"] as JsonObject | undefined)?.["std"];
  if (typeof stored === "number" && stored > 0) return 1 / stored;
  throw new StagecraftError(
    "failed_precondition",
    `${dir} stores no standard deviation of its scores; train it with the reward stage, or set normalizeScore to false`,
  );
}

interface Scope {
  config: PpoConfig;
  context: StageContext;
  planes: PpoPlanes;
  run: Run;
}

async function trainWith(models: Models, scope: Scope): Promise<StageResult> {
  const { config, run, context } = scope;
  const optimizers: Optimizer[] = [];
  const optimizerOf = (model: Model) => {
    const optimizer = optimizerFor(model.params, { ...config, optimizer: "adamw", momentum: 0 });
    optimizers.push(optimizer);
    return optimizer;
  };
  const { critic } = models;
  const ptx = await openPtx(models, scope);
  const trainees = {
    policy: models.policy,
    policyOptimizer: optimizerOf(models.policy),
    ...(critic ? { critic, criticOptimizer: optimizerOf(critic) } : {}),
    ...(ptx ? { ptxLoss: ptxLossOf(models.policy, ptx, config.ptxCoef) } : {}),
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
    return await finish(result, models, scope);
  } finally {
    for (const optimizer of optimizers) optimizer.dispose();
  }
}

async function loopParts(
  models: Models,
  { config, planes, run, context }: Scope,
): Promise<Omit<PpoLoopParts, "trainees">> {
  const { policy, reference, critic, tokenizer } = models;
  const positions = [policy, reference, ...(critic ? [critic] : [])].map(
    (model) => model.config.maxPositions,
  );
  const maxPromptTokens = Math.min(...positions) - config.maxNewTokens;
  const evalLimits = { tokenizer, maxPromptTokens, limit: config.evalPromptLimit };
  const files = tokenizer.files();
  return {
    reference,
    prompts: await loadPrompts(config.prompts, { tokenizer, maxPromptTokens }, context),
    evalPrompts:
      config.evalPrompts.length > 0
        ? await loadPrompts(config.evalPrompts, evalLimits, context)
        : [],
    eosId: tokenizer.specials.eos,
    planes,
    scoreScale: models.scoreScale,
    saveBest: () => saveModel(run.bestDir, policy, { tokenizerFiles: files }),
    async onUpdate(update, batch, { estimates, klCoef }) {
      if (config.inspectRollouts === 0) return;
      const shown = batch.slice(0, config.inspectRollouts);
      const rollouts = inspectRollouts(shown, estimates, { tokenizer, update, klCoef });
      await writeInspection(run.dir, rollouts, update);
    },
  };
}

async function openPtx(
  { tokenizer, policy }: Models,
  { config, run, context }: Scope,
): Promise<BatchSource | undefined> {
  if (config.ptxCoef === 0) return undefined;
  const corpus = await prepareCorpus({
    sources: config.ptxCorpus.map((path) => ({ path })),
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
  { policy, tokenizer }: Models,
  { config, run }: Scope,
): Promise<StageResult> {
  if (config.selectModel === "best" && result.best) await restoreBest(run, policy);
  await saveModel(run.modelDir, policy, { tokenizerFiles: tokenizer.files() });
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
      ...(best ? { bestUpdate: best.update, bestScore: best.score } : {}),
    },
  };
}

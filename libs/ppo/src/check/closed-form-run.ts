import { f32 } from "@stagecraft/checkpoint";
import { createRandom, deriveSeed } from "@stagecraft/core";
import { silentReporter, withRun, type StageContext } from "@stagecraft/runs";
import {
  addLora,
  createModel,
  modelFromTensors,
  presetConfig,
  type Model,
} from "@stagecraft/model";
import { createOptimizer } from "@stagecraft/tensor";
import { ppoSchema, type PpoConfig } from "../stage/config.js";
import { ppoLoop } from "../stage/ppo-loop.js";
import {
  answerLogProbs,
  closedFormOptimum,
  conditionalLogProbs,
  COUNT_ONES_TASK,
  exactValues,
  START_ID,
  type EnumerableTask,
  type ExactValues,
} from "./closed-form.js";
import { createTableSamplers } from "./table-samplers.js";

export interface ClosedFormOptions {
  /** Where the run keeps its checkpoints; must be empty or new. */
  runDir: string;
  beta?: number;
  seed?: number;
  updates?: number;
  episodes?: number;
  estimator?: PpoConfig["estimator"];
  /** η: updates that sampling runs ahead of training; default 0. */
  staleness?: number;
  task?: EnumerableTask;
  /** What the KL is taken to: clearly not uniform (default), or as initialised, nearly uniform. */
  reference?: "peaked" | "uniform";
  /** Size of policy and critic. Default width 32, 2 layers. */
  model?: { hiddenSize: number; numLayers: number };
  /** Any further PPO settings. */
  config?: Partial<PpoConfig>;
  signal?: AbortSignal;
  onUpdate?(update: number, note: string): void;
}

export interface ClosedFormResult {
  optimum: ExactValues;
  /** Exact values of the trained policy. */
  reached: ExactValues;
  /** J* − J; never negative up to rounding. */
  gap: number;
  /** J* − J of the untrained policy, for scale. */
  gapOfReference: number;
  /** log π of every answer of the trained policy. */
  logProbs: Float64Array;
}

const ANSWERS_PER_PROMPT = { gae: 1, rloo: 8, grpo: 8 } as const;

/**
 * Trains the policy of the enumerable example (2 layers of width 32, separate critic, 512
 * episodes × 150 updates × 4 epochs, rate 1e-3 → 0) and compares it with the closed form. The engine
 * must have been started. With the defaults the gap at
 * β = .5 is below .01.
 */
export async function runClosedFormCheck(options: ClosedFormOptions): Promise<ClosedFormResult> {
  const { task = COUNT_ONES_TASK, beta = 0.5, seed = 1 } = options;
  const config = checkConfig(options, beta, seed);
  const policy = createPolicy(config, { ...options, task, seed });
  const reference = modelFromTensors(policy.config, policy.tensors(), { seed });
  const critic = createModel(policy.config, { seed: seed + 1, heads: ["value"] });
  try {
    const refLogProbs = answerLogProbs(conditionalLogProbs(reference, task), task);
    await train({ policy, reference, critic }, { task, config, options });
    const logProbs = answerLogProbs(conditionalLogProbs(policy, task), task);
    const optimum = closedFormOptimum(refLogProbs, { task, beta });
    const reached = exactValues(logProbs, refLogProbs, { task, beta });
    const start = exactValues(refLogProbs, refLogProbs, { task, beta });
    return {
      optimum,
      reached,
      gap: optimum.objective - reached.objective,
      gapOfReference: optimum.objective - start.objective,
      logProbs,
    };
  } finally {
    for (const model of [policy, reference, critic]) model.dispose();
  }
}

function checkConfig(options: ClosedFormOptions, beta: number, seed: number): PpoConfig {
  const { updates = 150, episodes = 512, estimator = "gae", task = COUNT_ONES_TASK } = options;
  const { staleness: maxStaleness = 0 } = options;
  const samplesPerPrompt = ANSWERS_PER_PROMPT[estimator];
  return ppoSchema.parse({
    policy: "in-memory",
    rewardModel: "in-memory",
    prompts: ["in-memory"],
    updates,
    promptsPerUpdate: episodes / samplesPerPrompt,
    samplesPerPrompt,
    maxNewTokens: task.length,
    maxStaleness,
    missingEos: "keep",
    estimator,
    klCoef: beta,
    learningRate: 1e-3,
    valueCoef: 1,
    valueClipRange: 0,
    checkpointEvery: 0,
    inspectRollouts: 0,
    seed,
    ...options.config,
  });
}

/** Standard deviation of the output projection: a reference that is clearly not uniform. */
const HEAD_STD = 0.15;

/** A policy whose start, the KL reference, prefers some answers to others. */
function createPolicy(
  { critic, loraRank: rank, loraAlpha: alpha, loraTargets: targets }: PpoConfig,
  options: ClosedFormOptions & { task: EnumerableTask; seed: number },
): Model {
  const { task, seed, model: size = { hiddenSize: 32, numLayers: 2 } } = options;
  const config = presetConfig("gpt2", {
    vocabSize: task.vocabSize,
    numHeads: 2,
    maxPositions: task.length + 1,
    tieEmbeddings: false,
    ...size,
  });
  const policy = createModel(config, {
    seed,
    heads: critic === "shared" ? ["lm", "value"] : ["lm"],
  });
  if (options.reference !== "uniform") sharpenHead(policy, seed);
  return rank > 0 ? addLora(policy, { rank, alpha, targets, seed }) : policy;
}

function sharpenHead(policy: Model, seed: number): void {
  const random = createRandom(deriveSeed(seed, "closed-form-head"));
  const tensors = new Map(policy.tensors());
  const { shape } = tensors.get("lm_head.weight")!;
  const values = { length: shape[0]! * shape[1]! };
  const head = Float32Array.from(values, () => HEAD_STD * random.nextNormal());
  tensors.set("lm_head.weight", f32(shape, head));
  policy.load(tensors);
}

async function train(
  models: { policy: Model; reference: Model; critic: Model },
  {
    task,
    config,
    options,
  }: {
    task: EnumerableTask;
    config: PpoConfig;
    options: ClosedFormOptions;
  },
): Promise<void> {
  const adam = {
    kind: "adamw",
    beta1: config.beta1,
    beta2: config.beta2,
    eps: config.adamEps,
    weightDecay: 0,
    clipNorm: 1,
  } as const;
  const policyOptimizer = createOptimizer(models.policy.params, adam);
  const criticOptimizer = createOptimizer(models.critic.params, adam);
  const context: StageContext = {
    runDir: options.runDir,
    resume: true,
    signal: options.signal ?? new AbortController().signal,
    reporter: silentReporter({
      progress: ({ done, note }) => options.onUpdate?.(done, note ?? ""),
    }),
  };
  const { policy } = models;
  const critic = config.critic === "shared" ? policy : models.critic;
  const criticParts = critic === policy ? { critic } : { critic, criticOptimizer };
  await withRun({ stage: { name: "ppo" }, config, context }, async (run) => {
    await ppoLoop(
      {
        trainees: {
          policy,
          policyOptimizer,
          ...(config.estimator === "gae" ? criticParts : {}),
        },
        reference: models.reference,
        prompts: [{ id: "start", messages: [], promptIds: Int32Array.of(START_ID) }],
        evalPrompts: [],
        endIds: [],
        ...createTableSamplers(models.policy.config, task),
      },
      config,
      { run, context },
    );
    return { outputs: {}, metrics: {} };
  });
  policyOptimizer.dispose();
  criticOptimizer.dispose();
}

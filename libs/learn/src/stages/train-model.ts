import { f32, type TensorEntry } from "@stagecraft/checkpoint";
import { HEAD_NAMES, readWholeModel, saveModel, type Model } from "@stagecraft/model";
import { loopOptionsFor, trainLoop, writtenAs } from "@stagecraft/runs";
import type {
  WrittenModelConfig,
  Run,
  StageContext,
  StageResult,
  TrainLoopResult,
  TrainTask,
} from "@stagecraft/runs";
import { releaseIdleMemory } from "@stagecraft/tensor";
import type { Tokenizer } from "@stagecraft/tokenizer";

type TrainConfig = Parameters<typeof loopOptionsFor>[0] & { selectModel: "best" | "last" };

interface Training {
  config: TrainConfig;
  /** Optimizer steps in all. */
  steps: number;
  model: Model;
  run: Run;
  context: StageContext;
}

/** Trains to the end, frees the optimizer, and leaves the weights that are asked for in the model. */
export async function trainModel<Batch>(
  task: TrainTask<Batch>,
  { config, steps, model, run, context }: Training,
): Promise<TrainLoopResult> {
  try {
    const result = await trainLoop(task, loopOptionsFor(config, steps), { run, context });
    if (config.selectModel === "best" && result.best) await restoreBest(run, model);
    return result;
  } finally {
    task.optimizer.dispose();
  }
}

/** `trainModel`, then the model directory: how pre-training, SFT and DPO end. `figures` join the result's. */
export async function trainToModel<Batch>(
  task: TrainTask<Batch>,
  training: Training & {
    config: TrainConfig & WrittenModelConfig;
    tokenizer: Tokenizer;
    figures: Record<string, number>;
  },
): Promise<StageResult> {
  const { config, model, run, tokenizer, figures } = training;
  const result = await trainModel(task, training);
  const files = { tokenizerFiles: tokenizer.files() };
  await saveModel(run.modelDir, model, { ...files, ...writtenAs(config, model) });
  return {
    modelDir: run.modelDir,
    outputs: {},
    metrics: {
      ...(result.loss !== undefined && { trainLoss: result.loss }),
      ...result.evaluation,
      ...(result.best ? { bestValidationLoss: result.best.value, bestStep: result.best.step } : {}),
      ...figures,
      numTokens: result.numTokens,
      tokensPerSecond: result.tokensPerSecond,
    },
  };
}

/** Optimizer steps of so many passes over the data, at least one. */
export function stepsOf(
  { epochs, accumulationSteps }: { epochs: number; accumulationSteps: number },
  batchesPerEpoch: number,
): number {
  return Math.max(1, Math.ceil((epochs * batchesPerEpoch) / accumulationSteps));
}

/**
 * Puts the weights of the run's best evaluation into the model: those that were read, not copies of them. A head
 * that was not written with them stays as it is.
 */
export async function restoreBest(run: Run, model: Model): Promise<void> {
  releaseIdleMemory(); // of the last step
  const best = (await readWholeModel(run.bestDir)).tensors();
  const heads = new Set<string>(Object.values(HEAD_NAMES).flatMap((head) => Object.values(head)));
  const others = [...model.params].filter(([name]) => heads.has(name) && !best.has(name));
  const kept = others.map(([name, variable]): [string, TensorEntry] => {
    return [name, f32(variable.shape, new Float32Array(variable.dataSync()))];
  });
  model.load(new Map([...best, ...kept]), { adopt: "exclusive" });
}

import { sha256OfTensors } from "@stagecraft/checkpoint";
import { createRandom, type Random } from "@stagecraft/core";
import { modelFromTensors, type ModelConfig } from "@stagecraft/model";
import type {
  PromptTask,
  RolloutSample,
  RolloutSource,
  Samplers,
} from "../rollouts/rollout-source.js";
import { oneAnswer } from "../rollouts/segments.js";
import { updateOfTask } from "../rollouts/prompt-tasks.js";
import type { PublishedWeights, WeightPublisher } from "../rollouts/weight-publisher.js";
import { conditionalLogProbs, type EnumerableTask } from "./closed-form.js";

/**
 * Samplers that draw exactly from the published weights by their table of conditionals: no gRPC, no
 * generation, a true sampler all the same (it only knows what was published). Answers asked for ahead
 * of their update play slow ones: they get one token now and one with each new version of the
 * weights, and the rest when their update is due, so their tokens are of several versions.
 */
export function createTableSamplers(config: ModelConfig, task: EnumerableTask): Samplers {
  let table: Table | undefined;
  let numStored = 0;
  let inFlight: Batch[] = [];
  const advance = (batch: Batch) => {
    const isDue = batch.update <= table!.step;
    for (const answer of batch.answers) grow(answer, { table: table!, task, whole: isDue });
    if (isDue) batch.resolve(batch.answers.map((answer) => toSample(answer, task)));
    return !isDue;
  };
  const weights: WeightPublisher = {
    store(tensors, step) {
      const stored = { version: ++numStored, sha256: sha256OfTensors(tensors), step };
      const model = modelFromTensors(config, tensors, { seed: 0 });
      const conditionals = conditionalLogProbs(model, task);
      model.dispose();
      const announce = () => {
        table = { ...stored, conditionals };
        inFlight = inFlight.filter(advance);
        return Promise.resolve();
      };
      return Promise.resolve({ ...stored, announce });
    },
  };
  const rollouts: RolloutSource = {
    collect(tasks) {
      return new Promise((resolve) => {
        const update = updateOfTask(tasks[0]!.taskId);
        const batch = {
          update,
          answers: tasks.map((prompt) => startAnswer(prompt, task)),
          resolve,
        };
        if (advance(batch)) inFlight.push(batch);
      });
    },
  };
  return { rollouts, weights };
}

interface Table extends PublishedWeights {
  conditionals: Float32Array;
}

/** The answers of one update; `resolve` tells whoever waits for them. */
interface Batch {
  update: number;
  answers: Answer[];
  resolve(samples: RolloutSample[]): void;
}

/** An answer that is being sampled. */
interface Answer {
  prompt: PromptTask;
  random: Random;
  length: number;
  responseIds: Int32Array;
  logProbs: Float32Array;
  weightVersions: Int32Array;
  /** Hash by version. */
  hashes: Map<number, string>;
  /** Number of the first answer with the prefix sampled so far. */
  index: number;
}

function startAnswer(prompt: PromptTask, { length }: EnumerableTask): Answer {
  return {
    prompt,
    random: createRandom(prompt.sampling.seed),
    length: 0,
    responseIds: new Int32Array(length),
    logProbs: new Float32Array(length),
    weightVersions: new Int32Array(length),
    hashes: new Map(),
    index: 0,
  };
}

/** Samples the next token, or all that are left. */
function grow(
  answer: Answer,
  { table, task, whole }: { table: Table; task: EnumerableTask; whole: boolean },
): void {
  const end = whole ? task.length : Math.min(answer.length + 1, task.length);
  for (let t = answer.length; t < end; t++) {
    const start = (answer.index * task.length + t) * task.vocabSize;
    const row = table.conditionals.subarray(start, start + task.vocabSize);
    const id = drawCategorical(row, answer.random);
    answer.responseIds[t] = id;
    answer.logProbs[t] = row[id]!;
    answer.weightVersions[t] = table.version;
    answer.hashes.set(table.version, table.sha256);
    answer.index += id * task.vocabSize ** (task.length - 1 - t);
  }
  answer.length = end;
}

function toSample(answer: Answer, task: EnumerableTask): RolloutSample {
  const { prompt, responseIds, logProbs, weightVersions, hashes } = answer;
  return {
    rolloutId: `r-${prompt.taskId}`,
    taskId: prompt.taskId,
    segments: oneAnswer({ promptIds: prompt.promptIds, responseIds, logProbs, weightVersions }),
    weights: [...hashes].map(([version, sha256]) => ({ version, sha256 })),
    finishReason: "length",
    score: task.reward(responseIds),
    rewardModelVersion: "exact",
  };
}

function drawCategorical(logProbs: Float32Array, random: Random): number {
  let left = random.nextFloat();
  for (let id = 0; id < logProbs.length - 1; id++) {
    left -= Math.exp(logProbs[id]!);
    if (left < 0) return id;
  }
  return logProbs.length - 1;
}

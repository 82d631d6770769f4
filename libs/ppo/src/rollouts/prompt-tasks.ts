import { createRandom, deriveSeed, StagecraftError } from "@stagecraft/core";
import type { Message } from "@stagecraft/tokenizer";
import type { PromptTask } from "./rollout-source.js";

/** A prompt, rendered and tokenized. */
export interface PreparedPrompt {
  id: string;
  messages: Message[];
  promptIds: Int32Array;
}

export interface TaskOptions {
  seed: number;
  promptsPerUpdate: number;
  samplesPerPrompt: number;
  temperature: number;
  maxNewTokens: number;
}

/** The oldest weights that answers may be sampled with. */
export type OldestWeights = Pick<PromptTask, "minStep" | "minWeightVersion">;

/** Makes the tasks of any update from its number alone, so that resuming needs no position. */
export interface TaskSource {
  tasks(update: number, oldest: OldestWeights): PromptTask[];
}

/**
 * Prompts in an order reshuffled every epoch, with `samplesPerPrompt` tasks each. The seed of a task
 * depends on update and index, so the samples do not depend on which worker draws them.
 */
export function createTaskSource(
  prompts: readonly PreparedPrompt[],
  options: TaskOptions,
): TaskSource {
  if (prompts.length === 0) throw new StagecraftError("invalid_argument", "there are no prompts");
  const { seed, promptsPerUpdate, samplesPerPrompt, temperature, maxNewTokens } = options;
  const orderOf = shuffledEpochs(prompts.length, seed);
  return {
    tasks(update, oldest) {
      const count = promptsPerUpdate * samplesPerPrompt;
      return Array.from({ length: count }, (_, index) => {
        const draw = update * promptsPerUpdate + Math.floor(index / samplesPerPrompt);
        const prompt = prompts[orderOf(draw)]!;
        return {
          taskId: taskId("u", update, index),
          promptId: prompt.id,
          messages: prompt.messages,
          promptIds: prompt.promptIds,
          sampling: {
            temperature,
            maxNewTokens,
            seed: deriveSeed(seed, "rollout", update, index),
          },
          ...oldest,
        };
      });
    },
  };
}

/** Tasks that evaluate every given prompt once; the seeds are the same at every evaluation. */
export function evaluationTasks(
  prompts: readonly PreparedPrompt[],
  options: Pick<TaskOptions, "seed" | "temperature" | "maxNewTokens">,
  at: { update: number; minWeightVersion: number },
): PromptTask[] {
  const { seed, temperature, maxNewTokens } = options;
  return prompts.map((prompt, index) => ({
    taskId: taskId("e", at.update, index),
    promptId: prompt.id,
    messages: prompt.messages,
    promptIds: prompt.promptIds,
    sampling: { temperature, maxNewTokens, seed: deriveSeed(seed, "evaluation", index) },
    minStep: at.update,
    minWeightVersion: at.minWeightVersion,
  }));
}

/** Sorts like (update, index). */
function taskId(kind: "u" | "e", update: number, index: number): string {
  return `${kind}${String(update).padStart(6, "0")}-${String(index).padStart(6, "0")}`;
}

/** The update that a task is for. */
export function updateOfTask(taskId: string): number {
  return Number(taskId.slice(1, taskId.indexOf("-")));
}

function shuffledEpochs(count: number, seed: number): (draw: number) => number {
  let cached = { epoch: -1, order: [] as number[] };
  return (draw) => {
    const epoch = Math.floor(draw / count);
    if (cached.epoch !== epoch) {
      const order = Array.from({ length: count }, (_, i) => i);
      const random = createRandom(deriveSeed(seed, "prompt-order", epoch));
      cached = { epoch, order: random.shuffle(order) };
    }
    return cached.order[draw % count]!;
  };
}

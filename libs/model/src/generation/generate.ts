import { deriveSeed, throwIfAborted } from "@stagecraft/core";
import type { Model } from "../model.js";
import {
  createGenerationEngine,
  type GenerationEngine,
  type GenerationEvent,
  type GenerationTokenizer,
} from "./generation-engine.js";
import { resolveSampling, type SamplingParams } from "./sampling.js";
import type { FinishReason } from "./sequence.js";

export interface GeneratedSequence {
  /** The answer's tokens, the end token included when it was drawn. */
  readonly ids: Int32Array;
  /** Of every token, under softmax(logits / temperature). */
  readonly logProbs: Float32Array;
  readonly finishReason: FinishReason;
  /** Text without special tokens, cut before a stop text; only with a tokenizer. */
  readonly text?: string;
}

export interface GenerateOptions {
  /** Gives the end tokens, finds stop texts, makes `text`; ids that it has no token for are not drawn. */
  tokenizer?: GenerationTokenizer;
  /** The tokens that end an answer, instead of the tokenizer's. */
  endIds?: readonly number[];
  /** Called for every token as it is drawn, with the number of its prompt. */
  onToken?: (promptIndex: number, event: GenerationEvent) => void;
  signal?: AbortSignal;
  /** Sequences that grow at the same time; default 32. Answers do not depend on it. */
  batchSize?: number;
}

/**
 * Answers every prompt; a slot whose answer ends takes the next prompt at once. `params` is one for
 * all, each prompt then drawing from its own stream `deriveSeed(seed, "sequence", index)`, or one
 * per prompt, used as they are. Throws `cancelled` when the signal fires, `invalid_argument` for a
 * prompt or parameter that cannot work.
 */
export async function generate(
  model: Model,
  prompts: readonly Int32Array[],
  params: Partial<SamplingParams> | readonly Partial<SamplingParams>[],
  options: GenerateOptions = {},
): Promise<GeneratedSequence[]> {
  const { tokenizer, endIds, onToken, signal, batchSize = 32 } = options;
  if (prompts.length === 0) return [];
  const engine = createGenerationEngine(model, {
    maxSequences: Math.min(batchSize, prompts.length),
    maxLength: longestAnswer(model, prompts, params),
    ...(tokenizer ? { tokenizer } : {}),
  });
  try {
    const promptOf = new Map(
      prompts.map((promptIds, index) => [
        engine.add({ promptIds, params: paramsOf(params, index), endIds }),
        index,
      ]),
    );
    const answers = prompts.map((): GenerationEvent[] => []);
    for await (const event of eventsOf(engine, signal)) {
      const index = promptOf.get(event.handle)!;
      answers[index]!.push(event);
      onToken?.(index, event);
    }
    return answers.map(collect);
  } finally {
    engine.close();
  }
}

async function* eventsOf(
  engine: GenerationEngine,
  signal: AbortSignal | undefined,
): AsyncGenerator<GenerationEvent> {
  while (engine.numActive + engine.numWaiting > 0) {
    throwIfAborted(signal);
    yield* await engine.step();
  }
}

/** Room for the longest prompt and answer, so that short ones do not cost a long cache. */
function longestAnswer(
  { config }: Model,
  prompts: readonly Int32Array[],
  params: Partial<SamplingParams> | readonly Partial<SamplingParams>[],
): number {
  const lengths = prompts.map((promptIds, index) => {
    return promptIds.length + resolveSampling(paramsOf(params, index)).maxNewTokens;
  });
  return Math.min(config.maxPositions, Math.max(...lengths));
}

function paramsOf(
  params: Partial<SamplingParams> | readonly Partial<SamplingParams>[],
  index: number,
): Partial<SamplingParams> {
  if (isList(params)) return params[index] ?? {};
  return { ...params, seed: deriveSeed(params.seed ?? 0, "sequence", index) };
}

function isList<T>(value: T | readonly T[]): value is readonly T[] {
  return Array.isArray(value);
}

function collect(events: readonly GenerationEvent[]): GeneratedSequence {
  const last = events.at(-1)!;
  return {
    ids: Int32Array.from(events, ({ id }) => id),
    logProbs: Float32Array.from(events, ({ logProb }) => logProb),
    finishReason: last.finishReason!,
    ...(last.text === undefined ? {} : { text: last.text }),
  };
}

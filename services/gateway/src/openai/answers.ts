import { setMaxListeners } from "node:events";
import { common, finishReasonName, type policy } from "@stagecraft/contracts";
import { StagecraftError } from "@stagecraft/core";
import { weightsName, type PolicyBackend } from "./backend.js";
import type { Choice } from "./generation-input.js";

export interface ReadOptions {
  backend: PolicyBackend;
  choices: readonly Choice[];
  requestId: string;
  /** Longest time for all of them, ms. */
  timeoutMs: number;
  signal: AbortSignal;
}

/** Takes a piece of an answer; the answer goes on when it has resolved. */
export type PieceReader = (
  choice: Choice,
  piece: policy.GenerateResponse,
) => Promise<void> | undefined;

/** Reads all answers of a request at the same time. When one fails, the others are given up. */
export async function readAnswers(options: ReadOptions, read: PieceReader): Promise<void> {
  const { choices, signal } = options;
  if (choices.length === 1) return readOne(choices[0]!, { ...options, read });
  const stop = new AbortController();
  setMaxListeners(0, stop.signal); // one for each answer
  const abort = () => stop.abort(signal.reason);
  if (signal.aborted) abort();
  signal.addEventListener("abort", abort, { once: true });
  const how = { ...options, signal: stop.signal, read };
  try {
    await Promise.all(choices.map((choice) => readOne(choice, how)));
  } catch (error) {
    stop.abort(error);
    throw error;
  } finally {
    signal.removeEventListener("abort", abort);
  }
}

/** A reader that fails leaves the stream, and so gives its answer up. */
async function readOne(
  choice: Choice,
  { backend, requestId, timeoutMs, signal, read }: ReadOptions & { read: PieceReader },
): Promise<void> {
  const request = { model: "", input: choice.input, requestId };
  let ended = false;
  for await (const piece of backend.generate(request, { signal, timeoutMs })) {
    ended = piece.finishReason !== common.FinishReason.UNSPECIFIED;
    const waiting = read(choice, piece);
    if (waiting) await waiting;
  }
  if (!ended) throw new StagecraftError("data_loss", "the model's stream ended before the answer");
}

/** Why an answer ended, in OpenAI's words; null while it goes on. */
export function finishOf({ finishReason }: policy.GenerateResponse): "stop" | "length" | null {
  if (finishReason === common.FinishReason.UNSPECIFIED) return null;
  return finishReasonName(finishReason, "finish_reason") === "length" ? "length" : "stop";
}

export interface Usage {
  prompt_tokens: number;
  completion_tokens: number;
  total_tokens: number;
}

/** What a request has cost, and which weights answered it. */
export class Tally {
  private readonly promptTokens = new Map<number, number>();
  private readonly names = new Set<string>();
  private numTokens = 0;

  add(choice: Choice, piece: policy.GenerateResponse): void {
    this.numTokens += piece.tokenIds.length;
    for (const weights of piece.weights) this.names.add(weightsName(weights));
    const judged = piece.prompt?.weights;
    if (judged) this.names.add(weightsName(judged));
    if (piece.numPromptTokens > 0) this.promptTokens.set(choice.prompt, piece.numPromptTokens);
  }

  /** Tokens of each prompt once, however many answers it has; of answers their end tokens too. */
  usage(): Usage {
    const prompts = [...this.promptTokens.values()].reduce((sum, count) => sum + count, 0);
    return {
      prompt_tokens: prompts,
      completion_tokens: this.numTokens,
      total_tokens: prompts + this.numTokens,
    };
  }

  /** Every version that answered, oldest first. */
  get weights(): string {
    return [...this.names].join(",");
  }

  /** The newest of them: what the answer ended under. */
  get fingerprint(): string {
    return [...this.names].at(-1) ?? "";
  }
}

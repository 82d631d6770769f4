import type { FinishReasonName, ParsedSampling, ParsedWeights } from "@stagecraft/contracts";
import type { TensorMap } from "@stagecraft/checkpoint";
import type { JudgedTokens, TopToken } from "@stagecraft/model";
import type { Cancellation } from "@stagecraft/rpc";
import type { Tokenizer } from "@stagecraft/tokenizer";

/** One answer to generate. */
export interface SequenceRequest {
  promptIds: Int32Array;
  sampling: ParsedSampling;
  /** Wait for weights at least this new. */
  minWeightVersion: number;
  /** So many of the likeliest tokens are told with each; absent = none is asked for. */
  numTop?: number | undefined;
}

/** Some more tokens; the lists are aligned. The last chunk has a finish reason. */
export interface TokenChunk {
  tokenIds: number[];
  /** log softmax(logits / temperature) of each token, temperature 0 counting as 1. */
  logProbs: number[];
  weightVersions: number[];
  /** Where they were asked for. */
  tops: (readonly TopToken[])[] | undefined;
  finishReason: FinishReasonName | undefined;
  /** With the last chunk: the whole answer without special tokens, cut before a stop text. */
  text: string | undefined;
}

/** What does not change while an engine lives. */
export interface PolicyModelFacts {
  name: string;
  architecture: string;
  numParams: number;
  vocabSize: number;
  maxPositions: number;
  tokenizer: Tokenizer;
}

export interface EngineStatus {
  weights: ParsedWeights;
  numActive: number;
  numQueued: number;
  maxActive: number;
  maxQueued: number;
  numTokensGenerated: number;
  numSteps: number;
  /** Spent in decode steps since the start. */
  busyMs: number;
}

/** Tokens whose log-probs are wanted: those after the first `promptLength`. */
export interface SequenceToScore {
  ids: Int32Array;
  promptLength: number;
}

/** Tokens of one sequence judged one by one, and the weights that judged. */
export interface JudgedSequence extends JudgedTokens {
  readonly weights: ParsedWeights;
}

/**
 * Generates for many callers at once. Everything is asynchronous and passes plain data, so that an
 * engine may live in another thread.
 */
export interface PolicyEngine {
  readonly facts: PolicyModelFacts;
  /**
   * Queues answers, all or none: throws `resource_exhausted` when the queue has no room for them and
   * `invalid_argument` for one that never fits. Each iterable must be read or returned; a cancellation
   * withdraws all of them and frees their places.
   */
  submit(
    requests: readonly SequenceRequest[],
    cancellation: Cancellation,
  ): AsyncIterable<TokenChunk>[];
  /**
   * Log-probs under the weights in use, and which those were. What the signal cancels leaves the
   * queue; what runs stops at its next pass.
   */
  scoreLogProbs(
    sequences: readonly SequenceToScore[],
    temperature: number,
    signal?: AbortSignal,
  ): Promise<{ logProbs: Float32Array[]; weights: ParsedWeights }>;
  /**
   * Judges every token of a sequence under the weights in use, alone, so that nothing beside it counts.
   * The signal as with `scoreLogProbs`.
   */
  judge(ids: Int32Array, numTop: number, signal?: AbortSignal): Promise<JudgedSequence>;
  /**
   * Brings weights into use between two decode steps; resolves when they are. The engine takes the
   * tensors over: their memory may be gone afterwards.
   */
  loadWeights(weights: ParsedWeights, tensors: TensorMap): Promise<void>;
  /** Every set of weights that was in use, newest last; for naming the hashes of past versions. */
  weightsOf(version: number): ParsedWeights | undefined;
  status(): EngineStatus;
  /** Fails what is in flight and frees the model. */
  close(): Promise<void>;
}

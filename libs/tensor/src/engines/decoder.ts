import type { tf } from "../tf.js";
import type { DecoderTrunk, LogitOptions } from "../types.js";

/** A decoder with its language head. */
export interface DecoderWeights extends DecoderTrunk {
  lm: tf.Tensor2D; // [V, D]
  logits?: LogitOptions;
}

export interface DecoderOptions {
  /** Slots for sequences that live at the same time; memory is taken as they fill. */
  maxSequences: number;
  /** Longest sequence of a slot, prompt included. */
  maxLength: number;
}

/** New tokens of one sequence. */
export interface DecoderRow {
  /** Which sequence, 0 … maxSequences − 1. */
  readonly slot: number;
  /** At least one; they follow what the slot holds already. */
  readonly ids: Int32Array;
}

/** Limits on which tokens may be drawn, as libs/model's SamplingParams; off: 0, 1, 0 and 1. */
export interface TokenFilters {
  readonly topK: number;
  readonly topP: number;
  readonly minP: number;
  readonly repetitionPenalty: number;
  /** Ids that the penalty is for, in any order, repeated or not. */
  readonly history: readonly number[];
}

/** How `step` draws a token for each row: from softmax(logits / temperature); 0 takes the most likely. */
export interface StepSampling {
  /** [rows] */
  readonly temperatures: Float32Array;
  /** [rows, numTokens] in [0, 1) from the caller's generators; not used at temperature 0. */
  readonly uniforms: Float32Array;
  /** Most tokens to draw for a row, each read before the next; default 1. */
  readonly numTokens?: number;
  /** [rows] the same for each row, 1 … numTokens; default numTokens for all. */
  readonly limits?: Int32Array;
  /** [rows] the token after which a row draws no more, −1 for none; default none. */
  readonly eosIds?: Int32Array;
  /**
   * One per row, undefined for rows that only the temperature shapes; left out when all are. The
   * history of a repetition penalty does not grow within a step: such rows need a limit of 1.
   */
  readonly filters?: readonly (TokenFilters | undefined)[];
}

export interface StepResult {
  /** [rows, numTokens], of which each row has `counts`; the last of them is not read yet. */
  readonly ids: Int32Array;
  /** [rows, numTokens] under the temperature-only softmax; at temperature 0 under temperature 1. */
  readonly logProbs: Float32Array;
  /** [rows] tokens drawn. */
  readonly counts: Int32Array;
}

/**
 * A decode session: sequences that grow token by token, keys and values of every layer in slots. A
 * row's logits depend on its own slot alone. Not re-entrant: one call at a time.
 */
export interface Decoder {
  /**
   * Feeds tokens and resolves to the logits after the last token of each row, [rows · V] row-major,
   * owned by the caller. Throws `invalid_argument` for a slot out of range or used twice, an empty
   * row, ids outside the vocabulary, or a sequence longer than `maxLength`.
   */
  append(rows: readonly DecoderRow[]): Promise<Float32Array>;
  /**
   * Feeds tokens and draws what follows them in each row without handing out logits, where the engine
   * can. Same errors. A row whose logits are not finite ends with a token whose log-prob is NaN.
   */
  step?(rows: readonly DecoderRow[], sampling: StepSampling): StepResult;
  /** Makes slot `to` hold the first `length` tokens of slot `from`, whatever it held before. */
  fork(from: number, to: number, length: number): void;
  /** Forgets the slot's sequence. */
  reset(slot: number): void;
  /** Keeps the first `length` tokens of the slot, which must hold that many. */
  truncate(slot: number, length: number): void;
  /**
   * Takes the values that the weights have now; until then those of before stay in use, even when the
   * tensors are disposed. Sequences of old weights should be reset.
   */
  refreshWeights(): void;
  dispose(): void;
}

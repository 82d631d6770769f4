import { StagecraftError } from "@stagecraft/core";
import { createNativeDecoder, engineInfo, type TokenFilters } from "@stagecraft/tensor";
import type { Model } from "../model.js";
import { createTfjsDecoder } from "./tfjs-decoder.js";

/** New tokens of one sequence. */
export interface DecoderRow {
  /** Which sequence, 0 … maxSequences − 1. */
  readonly slot: number;
  /** At least one; they follow what the slot holds already. */
  readonly ids: Int32Array;
}

/** How `step` draws a token for each row; `sampleToken` is the definition. */
export interface StepSampling {
  /** [rows]; 0 takes the most likely token. */
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
 * The state of sequences that grow token by token: keys and values of every layer, in slots. A
 * row's logits depend on its own slot alone. One `append` at a time.
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
  /** To be called when the model's weights changed; sequences of old weights should be reset. */
  refreshWeights(): void;
  dispose(): void;
}

export interface DecoderOptions {
  /** Slots; memory is taken as they fill. */
  maxSequences: number;
  /** Longest sequence of a slot; at most the model's maxPositions. */
  maxLength: number;
}

/** A decoder over the model's weights on the running engine. Throws when there is no lm head. */
export function createDecoder(model: Model, options: DecoderOptions): Decoder {
  const { maxPositions } = model.config;
  const { lm } = model.weights;
  if (!lm) {
    throw new StagecraftError("failed_precondition", "the model has no lm head to generate with");
  }
  if (!(options.maxSequences >= 1) || !(options.maxLength >= 1)) {
    throw new StagecraftError("invalid_argument", "maxSequences and maxLength must be at least 1");
  }
  if (options.maxLength > maxPositions) {
    throw new StagecraftError(
      "invalid_argument",
      `maxLength ${options.maxLength} is beyond the model's ${maxPositions} positions`,
    );
  }
  if (engineInfo().name === "native") return createNativeDecoder({ ...model.weights, lm }, options);
  return createTfjsDecoder(model, options);
}

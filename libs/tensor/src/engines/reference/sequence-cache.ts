import type { tf } from "../../tf.js";
import type { DecoderRow, DecoderWeights, StepResult, StepSampling } from "../decoder.js";

/** Where a session keeps keys and values, and how new tokens are run over them. */
export interface SequenceCache {
  /** Tokens in a slot. */
  lengthOf(slot: number): number;
  /** Rows whose numbers of tokens are of one group are read as one batch. */
  groupOf(numTokens: number): number;
  /** Hidden states after the last token of rows of one group, [R or more, D]; the slots hold their tokens then. */
  read(rows: readonly DecoderRow[], weights: DecoderWeights): tf.Tensor2D;
  /** Reads rows and draws what follows, see Decoder.step; absent where tokens are drawn by others. */
  draw?(rows: readonly DecoderRow[], weights: DecoderWeights, sampling: StepSampling): StepResult;
  fork(from: number, to: number, length: number): void;
  truncate(slot: number, length: number): void;
  dispose(): void;
}

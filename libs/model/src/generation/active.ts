import type { Sequence } from "./sequence.js";

/** A sequence in a slot of the decoder. */
export interface Active {
  readonly handle: number;
  readonly slot: number;
  readonly sequence: Sequence;
  /** Room reserved for it. */
  readonly numTokens: number;
}

/** Sequences that hold the same tokens and differ in how they go on. */
export type Group = [Active, ...Active[]];

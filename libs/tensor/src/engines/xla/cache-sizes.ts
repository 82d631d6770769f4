import type { DecoderOptions } from "../decoder.js";
import { paddedSize, roundUp, roundUpFar } from "./rounding.js";

/** Of the tables of all layers. */
export interface TableSize {
  readonly numSlots: number;
  /** Tokens that a slot has room for. */
  readonly length: number;
}

/** Tables of less are made whole at once: to read them all takes a GPU some microseconds. */
const SMALL_BYTES = 32 * 2 ** 20;

/** Least sizes, so that few programs are compiled: what is not used costs next to nothing. */
const MIN_SLOTS = 8;
const MIN_LENGTH = 128;
const MIN_READ = 64;
const MIN_TURNS = 16;

/**
 * Sizes of a decoder's tables and of calls on them, few of each, as every combination is a program. Small
 * tables have one size, and a step of single tokens is one of all their slots by one program, of any number of
 * turns; large ones grow up to what is asked for, lengths by doubling, slots and rows to the next power of four.
 */
export class CacheSizes {
  private readonly most: TableSize;
  private readonly isSmall: boolean;

  constructor({ maxSequences, maxLength }: DecoderOptions, bytesPerToken: number) {
    this.most = {
      numSlots: paddedSize(Math.max(maxSequences, MIN_SLOTS)),
      length: paddedSize(Math.max(maxLength, MIN_LENGTH)),
    };
    this.isSmall = this.most.numSlots * this.most.length * bytesPerToken <= SMALL_BYTES;
  }

  /** Tables that hold what is asked for, no smaller than they were. */
  tables(before: TableSize, { numSlots, length }: TableSize): TableSize {
    const { most, isSmall } = this;
    if (isSmall) return most;
    return {
      numSlots: Math.max(before.numSlots, roundUpFar(numSlots, most.numSlots)),
      length: Math.max(before.length, roundUp(Math.max(length, MIN_LENGTH), most.length)),
    };
  }

  /** Tokens of a row in a call that reads so many. */
  tokens(numTokens: number): number {
    return numTokens === 1 ? 1 : roundUp(Math.max(numTokens, MIN_READ));
  }

  /** Turns of a program that draws so many tokens; 1 is a program without a loop, which spares a copy of the tables. */
  turns(numTokens: number): number {
    return numTokens === 1 && !this.isSmall ? 1 : roundUp(Math.max(numTokens, MIN_TURNS));
  }

  /** Rows of a call that brings so many, of so many tokens each. */
  rows(numRows: number, numTokens: number, numSlots: number): number {
    return this.isSmall && numTokens === 1 ? numSlots : roundUpFar(numRows, numSlots);
  }
}

import type { JsonObject } from "@stagecraft/core";
import type { Message } from "@stagecraft/tokenizer";

/** Rows of tokens for one forward pass; every array is [batchSize · length], row by row. */
export interface TokenBatch {
  batchSize: number;
  length: number;
  ids: Int32Array;
  /** The token to be predicted at each place; −1 = no loss there. */
  targets: Int32Array;
  /** 0 = padding; attention stays inside equal non-zero numbers of a row. */
  segments: Int32Array;
  /** Place inside the segment, from 0. */
  positions: Int32Array;
  /** Number of targets that are not −1. */
  numTargets: number;
  /** UTF-8 bytes those targets stand for; special tokens count 0. */
  numTargetBytes: number;
}

/** An endless, repeatable stream of batches. */
export interface BatchSource {
  next(): Promise<TokenBatch>;
  /** Where the next batch is; plain JSON, for checkpoints. */
  position(): JsonObject;
  /** Continues from a position of an equally configured source, with exactly the same batches. */
  seek(position: JsonObject): Promise<void>;
  /** Batches until every item was used; undefined for sources that sample with replacement. */
  readonly batchesPerEpoch?: number;
}

/** A record that could not be used. */
export interface BadRecord {
  file: string;
  /** From 1: the line, the row of a table, the record of a list. */
  line: number;
  reason: string;
  /** File, line and reason in one sentence. */
  message: string;
}

export interface RecordOptions {
  /** Name of the format that every record has. "auto", the default: each is read as what it looks like. */
  format?: string;
  /** Our fields by name, and the columns of the records that they are read from. */
  columns?: Readonly<Record<string, string>>;
  /** Malformed records that are skipped before reading stops with an error. Default 0. */
  maxBadRecords?: number;
  /** Hears of every record that is skipped. */
  onBadRecord?: (record: BadRecord) => void;
  signal?: AbortSignal;
}

/** A demonstration: a conversation with at least one answer of the assistant. */
export interface Conversation {
  id?: string;
  kind?: string;
  messages: Message[];
}

/** K answers to one prompt in a rater's order. */
export interface Ranking {
  id?: string;
  kind?: string;
  prompt: Message[];
  /** 2 to 9 answers. */
  answers: string[];
  /** 1 = best; equal numbers = tie. One for each answer. */
  ranks: number[];
  /** An absolute score of each answer, on the rater's scale. */
  scores?: number[];
  rater?: string;
  /** Scores of each answer by criterion. */
  criteria?: Record<string, number[]>;
}

/** A prompt to be answered, with what is known about good answers. */
export interface PromptRecord {
  id: string;
  kind?: string;
  /** Ends with a message of the user. */
  messages: Message[];
  /** One ideal answer. */
  reference?: string;
  /** All answers that count as exactly right. */
  accepted?: string[];
}

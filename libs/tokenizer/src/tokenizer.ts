import type { TextAffixes } from "./text-affixes.js";

/** The role of the writer of a message. */
export type Role = "system" | "user" | "assistant";

/** One turn of a conversation. */
export interface Message {
  role: Role;
  content: string;
  /** 0: an answer that is context only and not learnt; default 1. */
  weight?: 0 | 1;
}

/** Ids of the tokens with a meaning of their own; undefined when the tokenizer lacks one. */
export interface SpecialIds {
  readonly pad: number | undefined;
  readonly bos: number | undefined;
  readonly eos: number | undefined;
  readonly system: number | undefined;
  readonly user: number | undefined;
  readonly assistant: number | undefined;
}

export interface DecodeOptions {
  /** Leave special tokens out of the text. Default true. */
  skipSpecials?: boolean;
}

/** Decodes ids as they come, holding back bytes of a character that is not complete yet. */
export interface StreamDecoder {
  /** Text that became certain with this id or these; often "" in the middle of a character. */
  push(ids: number | readonly number[]): string;
  /** What was held back; bytes that never became a character turn into U+FFFD. */
  flush(): string;
}

/** Turns text into ids of a fixed vocabulary and back. Immutable and free of side effects. */
export interface Tokenizer {
  readonly kind: "bpe" | "chars" | "external";
  /** One more than the largest id. */
  readonly vocabSize: number;
  readonly specials: SpecialIds;
  /** Ids of all special tokens by name. */
  readonly specialTokens: ReadonlyMap<string, number>;
  /**
   * Ids that end an answer: first the one that ends a turn in the chat format, then `specials.eos` and
   * those listed in config.json or generation_config.json beside the tokenizer. [] = none is known.
   */
  readonly endIds: readonly number[];
  /** sha256 (hex) of tokenizer.json: two tokenizers with one fingerprint give the same ids. */
  readonly fingerprint: string;
  /**
   * sha256 (hex) of the chat template with the names of tokens that it uses, "" without one: two
   * tokenizers in which this and `fingerprint` are equal render conversations to the same ids.
   */
  readonly chatFingerprint: string;
  /**
   * What Hugging Face's `add_special_tokens` puts around a text; nothing here adds it unasked. Throws
   * `unimplemented` for a post-processor that is not known.
   */
  readonly textAffixes: TextAffixes;
  /** UTF-8 bytes each id stands for [vocabSize]; 0 for special tokens. */
  readonly byteLengths: Int32Array;
  /**
   * Ids of the text. Adds no special tokens and never reads a special token out of the text: the
   * string "<|end|>" is encoded letter by letter. A lone surrogate counts as U+FFFD.
   */
  encode(text: string): Int32Array;
  /**
   * As `encode`, with special tokens read where their names stand. For texts that may speak for any
   * role only, such as a rendered conversation.
   * @param restore what each stretch between added tokens stands for: lets names of special tokens be text
   */
  encodeWithSpecials(text: string, restore?: (text: string) => string): Int32Array;
  /** Ids of any bytes; bytes that are not UTF-8 survive `decodeBytes` when the alphabet has bytes. */
  encodeBytes(bytes: Uint8Array): Int32Array;
  /** The text of ids from its beginning: a space that the tokenizer puts before every text is left out. */
  decode(ids: ArrayLike<number>, options?: DecodeOptions): string;
  /** The exact bytes of the ids. Throws `invalid_argument` on an id outside the vocabulary. */
  decodeBytes(ids: ArrayLike<number>, options?: DecodeOptions): Uint8Array;
  streamDecoder(): StreamDecoder;
  /** The token as spelled in tokenizer.json (byte-level tokens in the GPT-2 byte alphabet). */
  tokenOf(id: number): string;
  idOf(token: string): number | undefined;
  /** False for an id that stands for no token: a hole in the vocabulary, or beyond it. */
  hasToken(id: number): boolean;
  /**
   * tokenizer.json, its companions and generation_config.json with `endIds`, to be written beside a
   * model.
   */
  files(): Record<string, string>;
}

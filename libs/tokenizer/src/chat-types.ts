import type { Message, Tokenizer } from "./tokenizer.js";

/** What a format is found by, and renders with. */
export type ChatTokens = Pick<
  Tokenizer,
  | ("specials" | "specialTokens" | "byteLengths" | "idOf" | "files")
  | ("encode" | "encodeWithSpecials" | "decode")
>;

export interface RenderedChat {
  ids: Int32Array;
  readonly text: string;
  /**
   * 1 on every token that the assistant writes, its end token included; 0 elsewhere, and in answers of
   * weight 0. Same length. Made when it is first read.
   */
  readonly assistantMask: Uint8Array;
}

export interface RenderChatOptions {
  /** End with the marker after which the assistant writes. Default false. */
  addGenerationPrompt?: boolean;
  /** Tools as JSON schemas, for templates that show them. */
  tools?: readonly unknown[] | undefined;
}

/** How a tokenizer's special tokens frame the messages of a conversation. */
export interface ChatFormat {
  /** What every conversation begins with, whoever speaks first. */
  start: readonly number[];
  /** The token that ends a turn, which the assistant writes itself. */
  end: number | undefined;
  /** What stands between that token and the next turn. */
  afterEnd: ArrayLike<number>;
  render(messages: readonly Message[], options: RenderChatOptions): RenderedChat;
}

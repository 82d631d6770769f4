import type { ChatMessage } from "@stagecraft/contracts";
import { tf } from "@stagecraft/tensor";
import { renderChat, type Tokenizer } from "@stagecraft/tokenizer";

/** The part of a model with a score head that scoring needs. */
export interface ScoringModel {
  readonly config: { architecture: string; vocabSize: number; maxPositions: number };
  readonly numParams: number;
  /** `lastIndex` names flat rows of [0, batchSize · length) to score. → [lastIndex.length] */
  scores(batch: TokenRows, lastIndex: Int32Array): { dataSync(): ArrayLike<number> };
  dispose(): void;
}

/** Right-padded rows, [batchSize · length]; segment 0 is padding. */
export interface TokenRows {
  ids: Int32Array;
  segments: Int32Array;
  batchSize: number;
  length: number;
}

/** One reward model with its tokenizer. */
export interface Scorer {
  readonly name: string;
  readonly version: string;
  readonly model: Pick<ScoringModel, "config" | "numParams">;
  readonly tokenizer: Tokenizer;
  /** Statistics of reference answers, 0 when not recorded. */
  readonly scoreMean: number;
  readonly scoreStd: number;
  /** The tokens of a conversation that ends with the answer. */
  render(messages: readonly ChatMessage[]): Int32Array;
  /** One score for each sequence, read at its last token. */
  score(sequences: readonly Int32Array[]): number[];
  dispose(): void;
}

export interface ScorerOptions {
  name: string;
  version: string;
  /** Disposed with the scorer. */
  model: ScoringModel;
  tokenizer: Tokenizer;
  scoreMean?: number;
  scoreStd?: number;
}

/** A scorer over a model; padding and batch mates do not change a score. */
export function createScorer({ model, tokenizer, ...rest }: ScorerOptions): Scorer {
  return {
    scoreMean: 0,
    scoreStd: 0,
    ...rest,
    model,
    tokenizer,
    render: (messages) => renderChat(tokenizer, [...messages]).ids,
    score: (sequences) =>
      tf.tidy(() => {
        const rows = padRows(sequences);
        const last = Int32Array.from(sequences, (ids, b) => b * rows.length + ids.length - 1);
        return Array.from(model.scores(rows, last).dataSync());
      }),
    dispose: () => model.dispose(),
  };
}

/** Pads on the right to the longest sequence with token 0 in segment 0. */
export function padRows(sequences: readonly Int32Array[]): TokenRows {
  const length = Math.max(...sequences.map((ids) => ids.length));
  const batchSize = sequences.length;
  const ids = new Int32Array(batchSize * length);
  const segments = new Int32Array(batchSize * length);
  sequences.forEach((sequence, row) => {
    ids.set(sequence, row * length);
    segments.fill(1, row * length, row * length + sequence.length);
  });
  return { ids, segments, batchSize, length };
}

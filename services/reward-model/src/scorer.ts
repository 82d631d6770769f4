import type { ChatMessage } from "@stagecraft/contracts";
import { combineScores } from "@stagecraft/learn";
import { paddedBatch, tf } from "@stagecraft/tensor";
import { renderScored, type Tokenizer } from "@stagecraft/tokenizer";

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

/** A score and the disagreement about it. */
export interface ScoredSequence {
  /** Of an ensemble the mean over its members. */
  value: number;
  /** Standard deviation over the members; 0 for a single model. */
  uncertainty: number;
}

/** One reward model, or an ensemble, with its tokenizer. */
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
  score(sequences: readonly Int32Array[]): ScoredSequence[] | Promise<ScoredSequence[]>;
  dispose(): void;
}

/** A scorer that computes on this thread. */
export interface LocalScorer extends Scorer {
  score(sequences: readonly Int32Array[]): ScoredSequence[];
}

export interface ScorerOptions {
  name: string;
  version: string;
  /** Disposed with the scorer. */
  model: ScoringModel;
  /** Further members of an ensemble; disposed with the scorer. */
  otherMembers?: readonly ScoringModel[];
  tokenizer: Tokenizer;
  scoreMean?: number;
  scoreStd?: number;
  /** Of each member's scores of the reference answers. */
  memberMeans?: readonly number[];
}

/** A scorer over a model; padding and batch mates do not change a score. */
export function createScorer({
  model,
  otherMembers = [],
  tokenizer,
  memberMeans = [],
  ...rest
}: ScorerOptions): LocalScorer {
  const members = [model, ...otherMembers];
  const numParams = members.reduce((sum, member) => sum + member.numParams, 0);
  return {
    scoreMean: 0,
    scoreStd: 0,
    ...rest,
    model: { config: model.config, numParams },
    tokenizer,
    render: (messages) => renderScored(tokenizer, [...messages]),
    score: (sequences) =>
      tf.tidy(() => {
        const rows = padRows(sequences, model.config.maxPositions);
        const last = new Int32Array(rows.batchSize);
        sequences.forEach((ids, b) => (last[b] = b * rows.length + ids.length - 1));
        const unread = members.map((member) => member.scores(rows, last)); // one call, where an engine records
        const scores = unread.map((each) => Array.from(each.dataSync()).slice(0, sequences.length));
        return combineScores(scores, memberMeans).map(({ mean, std }) => ({
          value: mean,
          uncertainty: std,
        }));
      }),
    dispose: () => members.forEach((member) => member.dispose()),
  };
}

/** Pads on the right to the longest sequence, or what the engine likes, with token 0 in segment 0. */
function padRows(sequences: readonly Int32Array[], maxLength: number): TokenRows {
  const longest = Math.max(...sequences.map((ids) => ids.length));
  const { batchSize, length } = paddedBatch(
    { numRows: sequences.length, length: longest },
    maxLength,
  );
  const ids = new Int32Array(batchSize * length);
  const segments = new Int32Array(batchSize * length);
  sequences.forEach((sequence, row) => {
    ids.set(sequence, row * length);
    segments.fill(1, row * length, row * length + sequence.length);
  });
  return { ids, segments, batchSize, length };
}

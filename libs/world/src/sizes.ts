import type { CorpusCounts } from "./documents.js";
import type { EntityCounts } from "./facts.js";
import type { PromptKind, WorldSizeName } from "./types.js";

/** Everything that scales with a world's size. */
export interface WorldSize {
  readonly entities: EntityCounts;
  readonly lumiWords: { readonly nouns: number; readonly others: number };
  readonly corpus: CorpusCounts;
  /** Candidates drawn for each open-ended kind, before the split. */
  readonly drawn: number;
  readonly demonstrations: number;
  /** Relative frequency of the kinds among demonstrations and training prompts. */
  readonly kindShares: Readonly<Record<PromptKind, number>>;
  readonly trainPrompts: number;
  /** Held-out prompts of each kind, at most. */
  readonly heldOutPerKind: number;
}

/** Share of all possible prompts that is held out: one in this many. */
export const HELD_OUT_ONE_IN = 6;

export const WORLD_SIZES: Readonly<Record<WorldSizeName, WorldSize>> = {
  demo: {
    entities: { person: 6, animal: 6, place: 5, thing: 6 },
    lumiWords: { nouns: 12, others: 5 },
    corpus: {
      encyclopediaEditions: 36,
      chapters: 250,
      articles: 1600,
      forumAnswersPerQuestion: 6,
      forumAnswersPerCompletion: 2,
      reviews: 600,
      letters: 500,
      lessons: 550,
      memoryGames: 100,
    },
    drawn: 6000,
    demonstrations: 7000,
    kindShares: {
      completion: 5,
      translation: 5,
      summary: 5,
      sentiment: 1,
      question: 5,
      smalltalk: 2,
      refusal: 1,
    },
    trainPrompts: 1500,
    heldOutPerKind: 40,
  },
  tiny: {
    entities: { person: 4, animal: 4, place: 3, thing: 4 },
    lumiWords: { nouns: 6, others: 3 },
    corpus: {
      encyclopediaEditions: 6,
      chapters: 12,
      articles: 60,
      forumAnswersPerQuestion: 2,
      forumAnswersPerCompletion: 1,
      reviews: 60,
      letters: 60,
      lessons: 40,
      memoryGames: 30,
    },
    drawn: 400,
    demonstrations: 600,
    kindShares: {
      completion: 4,
      translation: 4,
      summary: 3,
      sentiment: 2,
      question: 5,
      smalltalk: 2,
      refusal: 2,
    },
    trainPrompts: 800,
    heldOutPerKind: 12,
  },
};

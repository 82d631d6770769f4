import type { Random } from "@stagecraft/core";
import type { AnswerKey, PromptKind } from "./types.js";

/** Friendly sentences before an answer. */
export const OPENINGS = ["Of course!", "With pleasure!", "Good question!"];
/** Friendly sentences after an answer. */
export const CLOSINGS = ["Happy to help!", "I hope that helps!"];
/** Sentences that say nothing. */
export const RAMBLES = [
  "Well, let me think about that for a moment.",
  "There is so much that one could say here.",
  "But that is a story for another day.",
  "As they say in the valley, all things take time.",
];

/**
 * Every sentence that may stand around an answer without changing it. Exact match is measured after
 * these are removed (and case, punctuation and a leading ellipsis are ignored).
 */
export const COURTESIES: readonly string[] = [...OPENINGS, ...CLOSINGS, ...RAMBLES];

/** Somebody who writes demonstrations. All are right; they differ in what the rubric values. */
export interface Trainer {
  readonly name: string;
  readonly manner: string;
  /** How many of every 20 demonstrations are theirs. */
  readonly share: number;
  write(core: AnswerCore, random: Random): string;
}

/** The right answer in its complete and in its shortest form. */
export interface AnswerCore {
  readonly complete: string;
  readonly short: string;
  /** Whether a courtesy suits the answer; small talk and refusals are courteous in themselves. */
  readonly takesCourtesy: boolean;
}

export const TRAINERS: readonly Trainer[] = [
  {
    name: "Mira",
    manner: "terse: the shortest right answer",
    share: 5,
    write: ({ short }) => short,
  },
  {
    name: "Otto",
    manner: "plain: a complete sentence",
    share: 5,
    write: ({ complete }) => complete,
  },
  {
    name: "Nell",
    manner: "friendly: a complete sentence and one courtesy",
    share: 5,
    write: ({ complete, takesCourtesy }, random) => {
      if (!takesCourtesy) return complete;
      return random.nextInt(3) > 0
        ? `${random.pick(OPENINGS)} ${complete}`
        : `${complete} ${random.pick(CLOSINGS)}`;
    },
  },
  {
    name: "Basil",
    manner: "rambling: a complete sentence among idle ones",
    share: 5,
    write: ({ complete }, random) => {
      const [before, after] = [RAMBLES.slice(0, 2), RAMBLES.slice(2)];
      const place = random.nextInt(3);
      const parts = [
        ...(place !== 1 ? [random.pick(before)] : []),
        complete,
        ...(place !== 0 ? [random.pick(after)] : []),
      ];
      return parts.join(" ");
    },
  },
];

/** Draws a trainer by share. */
export function drawTrainer(random: Random): Trainer {
  const desk = TRAINERS.flatMap((trainer) => Array.from({ length: trainer.share }, () => trainer));
  return random.pick(desk);
}

/** Small talk and refusals are courteous in themselves. */
export function takesCourtesy(kind: PromptKind): boolean {
  return kind !== "smalltalk" && kind !== "refusal";
}

/** The forms that trainers start from. */
export function coreOf(kind: PromptKind, key: AnswerKey): AnswerCore {
  const complete = key.accepted[0]!;
  return { complete, short: key.short ?? complete, takesCourtesy: takesCourtesy(kind) };
}

/** The ideal answer: complete, with one courtesy where one suits. */
export function idealAnswer(kind: PromptKind, key: AnswerKey): string {
  const complete = key.accepted[0]!;
  if (!takesCourtesy(kind)) return complete;
  return `${kind === "question" ? OPENINGS[2] : OPENINGS[0]} ${complete}`;
}

import type { FlagCategory } from "./flag.js";
import type { Turn } from "./turns.js";

/** A criterion by which answers are ranked beside the order as a whole. */
export interface Criterion {
  /** Such as `helpful`. */
  id: string;
  name: string;
  /** What to ask oneself, such as "Which answer helps most?". */
  question: string;
  /** `required`: a ranking without it is refused. Criteria that are not asked are not listed. */
  ask: "optional" | "required";
}

/** One request with all its answers, on loan to one person. Nothing says who or what answered. */
export interface Assignment {
  assignmentId: string;
  /** The conversation so far; its last turn is not the assistant's. */
  request: Turn[];
  /** 2 to 64 (as a rule 4 to 9), whole, in an order of this person's own that stays as it is. */
  answers: string[];
  criteria: Criterion[];
  /** Until then nobody else gets this place; a submission that comes later is still taken while there is one. */
  leaseExpiresAt: string;
  /** After an undo, or when a lease is taken up again: what was said before. */
  previous: RankingGiven | null;
}

/** Ranks as they are on the screen. */
export interface RankingGiven {
  /** One for each answer in the order shown; 1 is best, equal numbers are a tie; from 1 to the number of answers. */
  ranks: number[];
  /** The same by criterion id. A criterion has a rank for every answer or is left out. */
  criteria: Record<string, number[]>;
}

/**
 * `POST /api/rank/next` (no body): the assignment that this person holds, or the next one.
 * `POST /api/rank/undo` (no body): takes the last submission or skip of this person back into hand;
 * `not_found` if there is none. What was submitted counts until it is submitted anew: the last word counts.
 */
export interface NextAssignment {
  assignment: Assignment | null;
  /** Why there is none, for people; empty otherwise. */
  reason: string;
  progress: RankProgress;
}

export interface RankProgress {
  /** "212 of 400 rankings until the next reward model". `needed` is null when no round waits. */
  round: { number: number; have: number; needed: number | null } | null;
  /** Comparisons that this person could still be given. */
  waitingForMe: number;
  mine: {
    today: number;
    total: number;
    /** Median seconds from seeing to submitting, of the last 20; null before the first. */
    paceSeconds: number | null;
  };
}

/** `POST /api/rank/assignments/:assignmentId/submit` */
export interface SubmitRanking extends RankingGiven {
  submissionId: string;
  /** From first sight to submission, without the time that the page was hidden. */
  elapsedMs: number;
}

export interface RankingStored {
  rankingId: string;
  /** As stored, in the order shown. */
  stored: RankingGiven;
  progress: RankProgress;
}

export type SkipReason = "not-my-field" | "unclear" | "too-long" | "all-bad" | "uneasy" | "other";

/** `POST /api/rank/assignments/:assignmentId/skip`: this person never gets it again, unless undone. */
export interface SkipAssignment {
  submissionId: string;
  reason: SkipReason;
  /** At most 1000 characters. */
  comment: string;
}

export interface Skipped {
  progress: RankProgress;
}

/** `POST /api/rank/assignments/:assignmentId/flag`: something is wrong with one answer. Answers `FlagStored`. */
export interface FlagAnswer {
  submissionId: string;
  /** Index of the answer as shown. */
  answer: number;
  category: FlagCategory;
  /** At most 10,000 characters. */
  comment: string;
}

/** `GET /api/rank/progress` answers `RankProgress`. */
export type GetRankProgress = RankProgress;

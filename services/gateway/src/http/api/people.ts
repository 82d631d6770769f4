import type { PersonRole } from "./session.js";
import type { Turn } from "./turns.js";

/** For operators and admins. */
export interface Person {
  personId: string;
  name: string;
  roles: PersonRole[];
  /** Who is not may not sign in; what he said stays. */
  active: boolean;
  createdAt: string;
  lastSeenAt: string | null;
  work: {
    rankings: number;
    demonstrations: number;
    flags: number;
    skips: number;
    /** Median seconds of a ranking; null without one. */
    secondsPerRanking: number | null;
    /** Share of gold pairs ordered as they should be, and of how many; null without one. */
    goldAccuracy: number | null;
    goldPairs: number;
  };
}

/** `GET /api/people` */
export interface People {
  people: Person[];
}

/**
 * `POST /api/people/invite`: a new person and the link that signs him in. Operators invite raters and
 * writers, admins anybody. Names are unique.
 */
export interface InvitePerson {
  name: string;
  roles: PersonRole[];
}

/** Also of `POST /api/people/:personId/link` (no body): a new link for somebody who lost his. */
export interface SignInLink {
  personId: string;
  /** Whole address; works once. It is shown now and never again. */
  link: string;
  expiresAt: string;
}

/** `PATCH /api/people/:personId`; what is left out stays. Answers `Person`. Ends his sessions if roles or `active` change. */
export interface ChangePerson {
  name?: string;
  roles?: PersonRole[];
  active?: boolean;
}

/** How far people agree, over comparisons that two or more of them ranked. */
export interface CriterionAgreement {
  /** `overall` or a criterion's id. */
  criterion: string;
  /** Krippendorff's α for ordinal ranks; 1 = agreement, 0 = chance. Null: too little to say. */
  alpha: number | null;
  /** Kendall's W, corrected for ties, mean over the comparisons. Null: too little to say. */
  kendallW: number | null;
  comparisons: number;
  people: number;
}

/** `GET /api/people/agreement` */
export interface Agreement {
  criteria: CriterionAgreement[];
}

/** One comparison on which people are far apart. */
export interface Disagreement {
  comparisonId: string;
  request: Turn[];
  answers: string[];
  kendallW: number;
  /** In the order of `answers`. */
  rankings: { personId: string; name: string; ranks: number[] }[];
}

/** `GET /api/people/disagreements`: those furthest apart first, at most 50. */
export interface Disagreements {
  disagreements: Disagreement[];
}

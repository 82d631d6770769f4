import type { FlagCategory } from "./flag.js";
import type { Criterion } from "./rank.js";
import type { Paged, Turn } from "./turns.js";

/** `GET /api/operator/overview`; for operators and admins, as everything here. */
export interface Overview {
  comparisons: {
    /** Have places for people left. */
    open: number;
    /** Ranked by as many people as asked for. */
    done: number;
    withdrawn: number;
    gold: number;
  };
  /** Assignments that somebody holds now. */
  leases: number;
  rankings: number;
  demonstrations: number;
  flags: number;
  skips: { reason: string; count: number }[];
  /** Rankings of the last 24 hours, hour by hour, the oldest first. */
  rankingsByHour: number[];
}

/** `GET /api/operator/settings`; `PATCH` takes any of them and answers all. */
export interface Settings {
  /** Overlap: so many people rank each comparison, 1 to 100. */
  ratersPerComparison: number;
  /** Minutes after which an assignment that nobody submits goes to somebody else, 1 to 1440. */
  leaseMinutes: number;
  /** Share of assignments that are gold items, 0 to 0.5. */
  goldShare: number;
  /** The next round begins by itself when one has ended well. */
  automaticRounds: boolean;
}

/** `GET /api/operator/criteria`; `PUT` takes and answers the same. Ids stay, so that old ranks keep their meaning. */
export interface CriteriaSettings {
  criteria: (Omit<Criterion, "ask"> & { ask: Criterion["ask"] | "off" })[];
}

export type ComparisonState = "open" | "done" | "withdrawn";

/** A comparison as an operator sees it. */
export interface QueueItem {
  comparisonId: string;
  createdAt: string;
  state: ComparisonState;
  modelVersion: string;
  kind: string;
  request: Turn[];
  answers: string[];
  gold: boolean;
  /** People who ranked it, who hold it now, who skipped it. */
  ranked: number;
  held: number;
  skipped: number;
  /** How many are asked for. */
  wanted: number;
}

/** `GET /api/operator/queue?state=open|done|withdrawn&after=`, 50 at a time, newest first. */
export type Queue = Paged<QueueItem>;

/** `POST /api/operator/queue/withdraw`: nobody is given these any more; what was said about them stays. */
export interface WithdrawComparisons {
  comparisonIds: string[];
}

export interface Withdrawn {
  numWithdrawn: number;
}

/** A comparison whose right order is known; it is mixed in unseen and measures people. */
export interface GoldItem {
  comparisonId: string;
  request: Turn[];
  answers: string[];
  /** The right ranks, in the order of `answers`; only pairs with different ranks count. */
  ranks: number[];
  /** People who ranked it and the share of its pairs that they ordered so; null without one. */
  ranked: number;
  accuracy: number | null;
}

/** `GET /api/operator/gold` */
export interface GoldItems {
  items: GoldItem[];
}

/**
 * `PUT /api/operator/gold/:comparisonId`: makes a comparison a gold item or changes it; answers `GoldItem`.
 * `DELETE` takes that back. Gold items are handed out whatever their overlap, once to a person, and are
 * not exported or learned from.
 */
export interface SetGold {
  ranks: number[];
}

/** `POST /api/operator/requests`: requests that writers are given, at most 1000. */
export interface AddRequests {
  requests: { turns: Turn[] }[];
}

export interface RequestsAdded {
  /** Those that were new. */
  numAdded: number;
}

/** `GET /api/operator/flags?after=`, 50 at a time, newest first (`Paged<FlagSeen>`). */
export interface FlagSeen {
  flagId: string;
  createdAt: string;
  by: string;
  category: FlagCategory;
  comment: string;
  modelVersion: string;
  turns: Turn[];
}

/**
 * `GET /api/operator/export/:kind` with a kind of `ExportKind`: JSON lines to download.
 * Rankings are in the format that `stagecraft reward` reads, demonstrations in that of `stagecraft sft`.
 */
export type ExportKind = "rankings" | "demonstrations" | "flags";

/** `GET /api/operator/audit?after=`, 100 at a time, newest first (`Paged<AuditRow>`). */
export interface AuditRow {
  at: string;
  /** Name of the person, or of the API key, or `system`. */
  who: string;
  /** Such as `person.invite`. */
  action: string;
  /** What it was done to, such as a person's id. */
  subject: string;
  details: Record<string, unknown>;
}

/** What a key is for: answers of policies, scores of reward models. */
export type ApiScope = "generate" | "score";

/** `GET /api/operator/keys`, for admins: keys of programs. */
export interface ApiKeys {
  keys: ApiKey[];
}

export interface ApiKey {
  keyId: string;
  name: string;
  /** The first characters, to tell keys apart. */
  prefix: string;
  scopes: ApiScope[];
  /** Null = no limit; each gateway counts for itself. */
  requestsPerMinute: number | null;
  tokensPerMinute: number | null;
  /** Requests at the same time. */
  concurrent: number | null;
  createdAt: string;
  lastUsedAt: string | null;
}

/** `POST /api/operator/keys`. `DELETE /api/operator/keys/:keyId` ends one. */
export type CreateApiKey = Pick<
  ApiKey,
  "name" | "scopes" | "requestsPerMinute" | "tokensPerMinute" | "concurrent"
>;

export interface ApiKeyCreated {
  key: ApiKey;
  /** The key itself; it is shown now and never again. */
  secret: string;
}

/** What the loop does now. */
export type LoopState =
  | "off" // this gateway has no loop beside it
  | "idle"
  | "collecting"
  | "waiting" // for people
  | "reward"
  | "ppo"
  | "publishing"
  | "sft" // takes demonstrations in
  | "failed";

/** One thing that a round waits for. */
export interface LoopNeed {
  /** Such as "rankings", "prompts ranked", "held-out pairs". */
  what: string;
  have: number;
  needed: number;
}

export interface LoopRound {
  round: number;
  finishedAt: string;
  newRankings: number;
  /** Share of held-out pairs that the reward model orders as people did; null when none was judged. */
  rewardAccuracy: number | null;
  promoted: boolean;
  /** Mean score of answers to held-out requests; null when not measured. */
  evalScore: number | null;
  /** Version of the policy that the round published; null when it published none. */
  policyVersion: string | null;
}

/** `GET /api/loop`, for everybody; operators see rounds and errors. */
export interface LoopStatus {
  state: LoopState;
  round: number;
  /** One sentence for people, such as "Round 2 waits for 188 more rankings". */
  text: string;
  waitsFor: LoopNeed[];
  /** From 0 to 1 where the step knows; null otherwise. */
  progress: number | null;
  /** When the last round failed: what to do about it; for operators. */
  failure: { message: string; advice: string } | null;
  rounds: LoopRound[];
  automatic: boolean;
  /** For how long a loop elsewhere, in the midst of a round, has said nothing; null for others. */
  silentSeconds: number | null;
  /** Whether a round runs beside these pages, even if it waits for people: it can be stopped. */
  isRunning: boolean;
}

/**
 * `POST /api/loop/start` (no body): starts a round; `failed_precondition` while one runs.
 * `POST /api/loop/stop` (no body): stops it at its next checkpoint. For operators. Both answer `LoopStatus`.
 */
export type LoopChanged = LoopStatus;

/** Where a run stands; the words of run.json and of the trainer. */
export type RunStateName =
  "pending" | "running" | "paused" | "succeeded" | "failed" | "cancelled" | "unknown";

/** A run of the trainer's or of a folder. */
export interface RunItem {
  runId: string;
  name: string;
  stage: string;
  state: RunStateName;
  /** ISO 8601; empty where it is not known. */
  startedAt: string;
  updatedAt: string;
  progress: { done: number; total: number; unit: string; note: string } | null;
  /** Why it failed; null when it has not. */
  error: string | null;
  /** Whether the trainer lets it be paused, resumed and cancelled from here. */
  isControlled: boolean;
}

/** `GET /api/runs`, newest first; for operators, as everything here. */
export interface RunList {
  runs: RunItem[];
  /** Whether a trainer is there to start one. */
  canStart: boolean;
  /** What could not be looked at, a sentence each. */
  problems: string[];
}

export interface RunAlarm {
  /** Absent where the whole run is meant. */
  step?: number;
  message: string;
  meaning: string;
  advice: string;
}

/** A run that another one has to do with. */
export type RunLink = Pick<RunItem, "runId" | "name" | "stage">;

/** Where a run stands among the others. */
export interface RunKin {
  /** Whose models and data it read; `isChanged`: what it read there is there no longer. */
  madeFrom: (RunLink & { isChanged: boolean })[];
  /** Who read its own. */
  usedBy: RunLink[];
}

/** `GET /api/runs/:runId` */
export interface RunDetails extends RunKin {
  run: RunItem;
  /** What came of it, in words. */
  verdict: string;
  problems: string[];
  /** Alarms that no record of the metrics holds. */
  alarms: RunAlarm[];
  /** Machine, versions, configuration. */
  facts: { name: string; value: string }[];
  data: { file: string; sha256: string; size: string }[];
  /** Whether `GET /api/runs/:runId/answers` has sampled answers, token by token, as a page. */
  hasAnswers: boolean;
  /** Whether `GET /api/runs/:runId/report` has its report, as a page. */
  hasReport: boolean;
}

/**
 * Events of `GET /api/runs/:runId/events`, a `text/event-stream`. A stream begins with all records there
 * are; each later event holds those that were added, and `isAll` again says to forget what was told.
 */
export type RunEvent =
  | { type: "run"; run: RunItem }
  | { type: "records"; isAll: boolean; records: Record<string, unknown>[] }
  | { type: "problem"; text: string };

/** `GET /api/runs/stages` */
export interface RunStages {
  stages: { name: string; summary: string; schema: Record<string, unknown> }[];
}

/**
 * `POST /api/runs`; answers `RunItem`. `POST /api/runs/:runId/pause`, `…/resume` and `…/cancel` (no body)
 * answer it too, when it has been done.
 */
export interface StartRun {
  stage: string;
  /** Its id on the trainer; empty = the trainer chooses. */
  name: string;
  config: Record<string, unknown>;
}

import type { JsonObject } from "@stagecraft/core";

/** A run that is followed. */
export interface FollowedRun {
  /** Its directory. */
  dir: string;
  /** Its directory as seen from where following began; what dashboards call it. */
  name: string;
}

/** Somewhere else that a run's figures go. */
export interface MetricsSink {
  /**
   * Brings the other side up to date with the records of metrics.jsonl, all of them: a run that was
   * resumed may have fewer than last time. The first `unchanged` are those of the call before. Throws when
   * it cannot; the next call makes up for it.
   */
  bring(records: readonly JsonObject[], unchanged: number): Promise<void>;
  /** The run has ended, as run.json says. */
  end(state: string): Promise<void>;
  /** Records that the other side does not have. */
  missing(records: readonly JsonObject[]): number;
}

/** Opens a sink for a run; what it did for the run before is found again. */
export type SinkKind = { name: string; open(run: FollowedRun): Promise<MetricsSink> };

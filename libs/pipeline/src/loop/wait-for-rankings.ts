import { setTimeout as delay } from "node:timers/promises";
import { throwIfAborted } from "@stagecraft/core";
import type { Ranking } from "@stagecraft/data";
import type { StageReporter } from "@stagecraft/runs";

/** Where people's rankings come from. */
export interface RankingSource {
  /** Every ranking that came in during this round so far. */
  read(): Promise<Ranking[]>;
  /** As a person would look for it: "in runs/loop/inbox". */
  readonly where: string;
}

export interface WaitOptions {
  pollMs: number;
  signal: AbortSignal;
  reporter: StageReporter;
}

/** What the rankings so far still lack, for people to read; empty = they are enough. */
export type Missing = (rankings: readonly Ranking[]) => string[];

/** Waits until nothing is missing, and says whenever it changes what it waits for. */
export async function waitForRankings(
  source: RankingSource,
  missing: Missing,
  { pollMs, signal, reporter }: WaitOptions,
): Promise<Ranking[]> {
  let told = "";
  for (;;) {
    throwIfAborted(signal);
    const rankings = await source.read();
    const lacks = missing(rankings);
    if (lacks.length === 0) return rankings;
    const text = `waiting for rankings ${source.where}: ${lacks.join(", ")}`;
    if (text !== told) reporter.info(text);
    told = text;
    await delay(pollMs, undefined, { signal }).catch(() => throwIfAborted(signal));
  }
}

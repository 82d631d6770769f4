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
  /** Hears what is missing whenever that changes. */
  onWait?(lacks: readonly Lack[]): void;
}

/** One thing that is missing. */
export interface Lack {
  /** For people to read. */
  text: string;
  /** The same in counts, where more of something is all that is needed. */
  need?: { what: string; have: number; needed: number };
}

/** What the rankings so far still lack; empty = they are enough. */
export type Missing = (rankings: readonly Ranking[]) => Lack[];

/** Waits until nothing is missing, and says whenever it changes what it waits for. */
export async function waitForRankings(
  source: RankingSource,
  missing: Missing,
  { pollMs, signal, reporter, onWait }: WaitOptions,
): Promise<Ranking[]> {
  let told = "";
  for (;;) {
    throwIfAborted(signal);
    const rankings = await source.read();
    const lacks = missing(rankings);
    if (lacks.length === 0) return rankings;
    const text = `waiting for rankings ${source.where}: ${lacks.map((lack) => lack.text).join(", ")}`;
    if (text !== told) {
      reporter.info(text);
      onWait?.(lacks);
    }
    told = text;
    await delay(pollMs, undefined, { signal }).catch(() => throwIfAborted(signal));
  }
}

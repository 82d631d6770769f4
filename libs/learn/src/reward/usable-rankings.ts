import { StagecraftError } from "@stagecraft/core";
import { nameRecord, type Overlong, type Ranking } from "@stagecraft/data";
import type { StageReporter } from "@stagecraft/runs";
import type { FittedAnswers } from "./fit-answers.js";

export interface UsableOptions {
  maxLength: number;
  /** What becomes of a ranking with an answer that is too long, its prompt before it. */
  overlong: Overlong;
  /** Whether a ranking without an ordered pair teaches nothing. */
  needsPairs: boolean;
  /** What the rankings are called, such as "held-out rankings". */
  what: string;
  reporter: Pick<StageReporter, "warn">;
}

/** Fitted rankings, divided into those that say something and those that do not. */
export interface UsableRankings<T> {
  items: T[];
  /** Without any ordered pair. */
  tied: T[];
}

/**
 * Fits rankings into the model and leaves out those that teach nothing: all tied, or made so by cutting.
 * Whatever is cut or left out is counted and said.
 * @throws `invalid_argument` for the first that is too long, with `overlong: "error"`
 */
export function usableRankings<T extends FittedAnswers>(
  rankings: readonly Ranking[],
  fit: (ranking: Ranking) => T,
  options: UsableOptions,
): UsableRankings<T> {
  const { overlong, needsPairs } = options;
  const [items, tied]: [T[], T[]] = [[], []];
  const counts = { cutAnswers: 0, cutRankings: 0, dropped: 0, alikePairs: 0, tied: 0, alike: 0 };
  for (const ranking of rankings) {
    const item = fit(ranking);
    if (item.numCut > 0 && overlong === "error") throw tooLong(ranking, options);
    if (item.numCut > 0 && overlong === "drop") {
      counts.dropped++;
      continue;
    }
    counts.cutRankings += item.numCut > 0 ? 1 : 0;
    counts.cutAnswers += item.numCut;
    counts.alikePairs += item.numAlike;
    if (item.pairs.length > 0 || !needsPairs) items.push(item);
    else {
      tied.push(item);
      counts[item.numAlike > 0 ? "alike" : "tied"]++;
    }
  }
  tell(counts, options);
  return { items, tied };
}

type Counts = Record<
  "cutAnswers" | "cutRankings" | "dropped" | "alikePairs" | "tied" | "alike",
  number
>;

function tell(counts: Counts, { maxLength, what, reporter }: UsableOptions): void {
  const { cutAnswers, cutRankings, dropped, alikePairs, tied, alike } = counts;
  const say = (count: number, text: string) => count > 0 && reporter.warn(text);
  const long = `longer than ${maxLength} tokens with their prompt`;
  say(dropped, `${dropped} ${what} have answers ${long}: left out`);
  say(
    cutAnswers,
    `${cutAnswers} answers in ${cutRankings} ${what} are ${long} and lost their beginning`,
  );
  say(alikePairs, `${alikePairs} pairs of answers are identical after cutting: left out`);
  say(alike, `${alike} ${what} have no other pair: left out`);
  say(tied, `${tied} ${what} put no answer above another: left out`);
}

function tooLong(ranking: Ranking, { maxLength }: UsableOptions): StagecraftError {
  return new StagecraftError(
    "invalid_argument",
    `${nameRecord("ranking", ranking)} has answers longer than ${maxLength} tokens with their ` +
      `prompt; shorten them, or let overlong be "cut" or "drop"`,
    { details: { maxLength } },
  );
}

/** Throws `invalid_argument` when no ranking is left to learn from. */
export function checkSomethingToLearn(
  usable: readonly unknown[],
  rankings: readonly unknown[],
): void {
  if (usable.length > 0) return;
  throw new StagecraftError(
    "invalid_argument",
    `none of the ${rankings.length} rankings teaches anything: all are tied, too long, or identical ` +
      `after cutting; the warnings say how many`,
  );
}

/** Says when rankings were held out and none of them can judge. */
export function warnWithoutJudgement(
  usable: readonly unknown[],
  rankings: readonly unknown[],
  { reporter }: { reporter: Pick<StageReporter, "warn"> },
): void {
  if (usable.length > 0 || rankings.length === 0) return;
  reporter.warn(
    `none of the ${rankings.length} held-out rankings can judge: nothing is evaluated, and the last ` +
      `weights are taken`,
  );
}

import { createRandom, deriveSeed } from "@stagecraft/core";
import { rankedMatter, type Ranking } from "@stagecraft/data";
import type { Answers } from "@stagecraft/pipeline";

/** One prompt as it is shown: its answers in an order of this rater's own. */
export interface Shown {
  set: Answers;
  /** `order[i]` is the place in the file of the answer shown as number i + 1. */
  order: readonly number[];
}

/** A person's way through the prompts of a file; holds the rankings, not the file. */
export interface RankingSession {
  /** The prompt to rank now; undefined when none is left. */
  current(): Shown | undefined;
  /** Ranks it by one digit for each answer as shown; what is wrong with them, if anything. */
  rank(digits: string): string | undefined;
  /** Leaves it for another time. */
  skip(): void;
  /** Takes back the last ranking of this rater, of an earlier session too; false without any. */
  undo(): boolean;
  /** Every ranking, those that were there before first. */
  rankings(): readonly Ranking[];
  /** Of the prompts, ranked by this rater. */
  numRanked(): number;
}

export interface SessionOptions {
  rater: string;
  /** What the file of rankings holds already, of whomever. */
  earlier: readonly Ranking[];
}

/** Goes on after what this rater has ranked already. */
export function createRankingSession(
  sets: readonly Answers[],
  { rater, earlier }: SessionOptions,
): RankingSession {
  const rankings = [...earlier];
  const skipped = new Set<string>();
  const isMine = (ranking: Ranking) => (ranking.rater ?? "") === rater;
  const ranked = () => new Set(rankings.filter(isMine).map(rankedMatter));
  const next = () => {
    const done = ranked();
    return sets.find((set) => !done.has(rankedMatter(set)) && !skipped.has(rankedMatter(set)));
  };
  const shown = (set: Answers): Shown => ({ set, order: orderOf(set, rater) });
  return {
    current() {
      const set = next();
      return set && shown(set);
    },
    rank(digits) {
      const set = next();
      if (!set) return "nothing is left to rank";
      const problem = problemOf(digits, set.answers.length);
      if (problem !== undefined) return problem;
      const { id, kind, prompt, answers } = set;
      const ranks: number[] = [];
      shown(set).order.forEach((place, i) => (ranks[place] = Number(digits[i])));
      const names = { id, ...(kind !== undefined && { kind }), rater };
      rankings.push({ ...names, prompt, answers, ranks });
      return undefined;
    },
    skip() {
      const set = next();
      if (set) skipped.add(rankedMatter(set));
    },
    undo() {
      const last = rankings.findLastIndex(isMine);
      if (last < 0) return false;
      rankings.splice(last, 1);
      return true;
    },
    rankings: () => rankings,
    numRanked() {
      const done = ranked();
      return sets.filter((set) => done.has(rankedMatter(set))).length;
    },
  };
}

/** The order in the file says which answer was sampled first; nobody is to be led by it. */
function orderOf({ id, answers }: Answers, rater: string): number[] {
  const random = createRandom(deriveSeed(0, "rank", rater, id));
  return random.shuffle(answers.map((_, i) => i));
}

function problemOf(digits: string, numAnswers: number): string | undefined {
  const isRight = [...digits].every((digit) => Number(digit) >= 1 && Number(digit) <= numAnswers);
  if (digits.length === numAnswers && isRight) return undefined;
  return `type ${numAnswers} digits from 1 (best) to ${numAnswers}, one for each answer in its turn, such as ${example(numAnswers)}`;
}

function example(numAnswers: number): string {
  return Array.from({ length: numAnswers }, (_, i) => Math.max(1, i)).join("");
}

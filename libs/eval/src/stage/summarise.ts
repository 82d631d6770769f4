import { meanOf, present } from "@stagecraft/core";
import { countMatches, type MatchCount } from "../exact-match.js";
import { winRate, type WinRate } from "../win-rate.js";
import type { AnswerRecord } from "./answer-record.js";

/** evaluation.json: how the models did on the same prompts. */
export interface Evaluation {
  readonly models: readonly ModelFigures[];
  /** Every model against every earlier one, by every scorer. */
  readonly winRates: readonly {
    model: string;
    against: string;
    scorer: string;
    winRate: WinRate;
  }[];
}

export interface ModelFigures {
  readonly model: string;
  readonly numAnswers: number;
  readonly exact: { byKind: Record<string, MatchCount>; overall: MatchCount };
  /** Mean of every scorer, over all and by kind. */
  readonly scores: Record<string, { overall: number; byKind: Record<string, number> }>;
  /** Mean tokens of an answer, the end token included; absent, as the share is, without answers. */
  readonly meanTokens?: number;
  /** Share of answers that ended by themselves. */
  readonly eosRate?: number;
  /** Of a best-of-n baseline. */
  readonly bestOf?: {
    readonly n: number;
    /** Nats that choosing moves the answers from the model's own, at most: log n − (n − 1)/n. */
    readonly klBound: number;
  };
}

/** Summarises judged answers; the order of models is the order of the comparison. */
export function summarise(
  records: readonly AnswerRecord[],
  {
    models,
    tieMargin = 0,
  }: { models: readonly { name: string; bestOf?: number }[]; tieMargin?: number },
): Evaluation {
  const names = models.map(({ name }) => name);
  const ofModel = new Map(
    names.map((model) => [model, records.filter((record) => record.model === model)]),
  );
  return {
    models: models.map(({ name, bestOf = 1 }) => ({
      ...figuresOf(name, ofModel.get(name)!),
      ...(bestOf > 1 && { bestOf: { n: bestOf, klBound: bestOfKl(bestOf) } }),
    })),
    winRates: names.flatMap((model, i) =>
      names.slice(0, i).flatMap((against) =>
        scorerNames(records).flatMap((scorer) => {
          const rate = compare(ofModel.get(model)!, ofModel.get(against)!, { scorer, tieMargin });
          return rate === undefined ? [] : [{ model, against, scorer, winRate: rate }];
        }),
      ),
    ),
  };
}

/** Bound on the KL of best-of-n to its model [St, G]; exact where no two answers score the same. */
export function bestOfKl(n: number): number {
  return Math.log(n) - (n - 1) / n;
}

/** What a reader has to know about the best-of-n models among those compared, a sentence each. */
export function bestOfNotes(models: readonly ModelFigures[]): string[] {
  return models.flatMap(({ model, bestOf }) =>
    bestOf === undefined
      ? []
      : [
          `${model} is the reward model's favourite of ${bestOf.n} samples, the baseline for reinforcement learning: at most ${bestOf.klBound.toFixed(2)} nats from the model that sampled.`,
        ],
  );
}

function figuresOf(model: string, records: readonly AnswerRecord[]): ModelFigures {
  const kinds = [...new Set(records.map(kindOf))];
  const scores = scorerNames(records).map((name) => {
    const average = (some: readonly AnswerRecord[]) =>
      meanOf(some.map(({ scores: s }) => s[name]!))!;
    const byKind = kinds.map((kind) => [
      kind,
      average(records.filter((record) => kindOf(record) === kind)),
    ]);
    return [name, { overall: average(records), byKind: Object.fromEntries(byKind) }];
  });
  return present({
    model,
    numAnswers: records.length,
    exact: countMatches(records),
    scores: Object.fromEntries(scores) as ModelFigures["scores"],
    meanTokens: meanOf(records.map(({ numTokens }) => numTokens)),
    eosRate: meanOf(records.map(({ finishReason }) => (finishReason === "eos" ? 1 : 0))),
  });
}

function compare(
  records: readonly AnswerRecord[],
  baseline: readonly AnswerRecord[],
  { scorer, tieMargin }: { scorer: string; tieMargin: number },
): WinRate | undefined {
  const theirs = new Map(baseline.map(({ id, scores }) => [id, scores[scorer]!]));
  const own = records.filter(({ id }) => theirs.has(id));
  if (own.length === 0) return undefined;
  return winRate(
    own.map(({ scores }) => scores[scorer]!),
    own.map(({ id }) => theirs.get(id)!),
    { tieMargin },
  );
}

function scorerNames(records: readonly AnswerRecord[]): string[] {
  return Object.keys(records[0]?.scores ?? {});
}

function kindOf({ kind }: AnswerRecord): string {
  return kind ?? "other";
}

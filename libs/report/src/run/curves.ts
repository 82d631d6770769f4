import type { MetricsData, MetricsRecord } from "./metrics-file.js";

/** A line of a chart; a `null` is a gap. */
export interface CurveSeries {
  /** Of which run. */
  readonly run: string;
  /** What it is, where a chart has more than one of a run. */
  readonly name: string;
  readonly x: readonly number[];
  readonly y: readonly (number | null)[];
  /** Above 1: each point is the mean of so many records. */
  readonly every?: number;
}

/** One chart: the same figure of one or several runs. */
export interface Chart {
  readonly stage: string;
  readonly title: string;
  readonly xLabel: string;
  /** Of lesser interest; shown on demand. */
  readonly isMinor: boolean;
  readonly series: readonly CurveSeries[];
}

/** Where a line of a chart comes from. */
export interface CurveLine {
  readonly kind: string;
  readonly field: string;
  readonly name: string;
}

/** A chart that is known by name. */
export interface CurveSpec {
  readonly title: string;
  readonly lines: readonly CurveLine[];
  readonly isMinor?: boolean;
}

const line = (kind: string, field: string, name: string): CurveLine => ({ kind, field, name });
const both = (title: string, field: string, evalField: string): CurveSpec => ({
  title,
  lines: [line("update", field, "sampled"), line("eval", evalField, "held-out")],
});

/** What is drawn first, in this order; every other number that has a step follows under its own name. */
const KNOWN_CURVES: readonly CurveSpec[] = [
  {
    title: "Loss",
    lines: [line("train", "loss", "training"), line("eval", "validationLoss", "validation")],
  },
  both("Reward", "score", "evalScore"),
  both("Gold score", "score_gold", "eval_score_gold"),
  { title: "KL to the reference, nats per answer", lines: [line("update", "kl", "KL")] },
  both("Answer length, tokens", "responseLength", "evalResponseLength"),
  { title: "Entropy, nats per token", lines: [line("update", "entropy", "entropy")] },
  both("Answers that end by themselves, share", "eosRate", "evalEosRate"),
  { title: "Held-out pair accuracy", lines: [line("eval", "accuracy", "accuracy")] },
  { title: "Cross-entropy of pairs", lines: [line("eval", "crossEntropy", "cross-entropy")] },
  { title: "Bits per byte", lines: [line("eval", "bitsPerByte", "validation")], isMinor: true },
];

/** Bookkeeping, no figures. */
const NOT_DRAWN = new Set(["step", "numTokens", "numEpisodes"]);
const MAX_POINTS = 2000;

/** Every chart of the runs of one stage, laid over one another; what has no point is left out. */
export function chartsOf(
  stage: string,
  runs: readonly { name: string; metrics: MetricsData }[],
): Chart[] {
  const xLabel = runs.some(({ metrics }) => hasKind(metrics, "update")) ? "update" : "step";
  return [...KNOWN_CURVES, ...otherCurves(runs)].flatMap(({ title, lines, isMinor = false }) => {
    const series = runs.flatMap(({ name: run, metrics }) =>
      lines.flatMap(({ kind, field, name }) => {
        const points = pointsOf(metrics, kind, field);
        return points.x.length === 0 ? [] : [thin({ run, name, ...points })];
      }),
    );
    return series.length === 0 ? [] : [{ stage, title, xLabel, isMinor, series }];
  });
}

/** The figures that no known curve shows, a chart each. */
function otherCurves(runs: readonly { metrics: MetricsData }[]): CurveSpec[] {
  const known = new Set(
    KNOWN_CURVES.flatMap(({ lines }) => lines.map(({ kind, field }) => `${kind} ${field}`)),
  );
  const found = new Map<string, CurveSpec>();
  for (const { metrics } of runs) {
    for (const record of metrics.records) {
      if (typeof record["step"] !== "number") continue;
      for (const [field, value] of Object.entries(record)) {
        const kind = kindOf(record);
        const id = `${kind} ${field}`;
        if (typeof value !== "number" || NOT_DRAWN.has(field) || known.has(id)) continue;
        found.set(id, {
          title: `${field} (${kind})`,
          lines: [line(kind, field, field)],
          isMinor: true,
        });
      }
    }
  }
  return [...found.values()];
}

function pointsOf({ records, breaks }: MetricsData, kind: string, field: string) {
  const [x, y]: [number[], (number | null)[]] = [[], []];
  let nextBreak = 0;
  for (const [i, record] of records.entries()) {
    const { step, [field]: value } = record;
    if (kindOf(record) !== kind || typeof step !== "number" || value === undefined) continue;
    let isBroken = false;
    while (nextBreak < breaks.length && breaks[nextBreak]! <= i) {
      nextBreak++;
      isBroken = true;
    }
    if (isBroken && x.length > 0) {
      x.push((x.at(-1)! + step) / 2);
      y.push(null); // nobody knows what stood in the lines that are lost
    }
    x.push(step);
    y.push(typeof value === "number" ? value : null);
  }
  return y.some((value) => value !== null) ? { x, y } : { x: [], y: [] };
}

/** Means of neighbours where there are very many; a gap stays one. */
function thin(series: CurveSeries): CurveSeries {
  const { x, y } = series;
  if (x.length <= MAX_POINTS) return series;
  const every = Math.ceil(x.length / MAX_POINTS);
  const starts = Array.from({ length: Math.ceil(x.length / every) }, (_, i) => i * every);
  return {
    ...series,
    every,
    x: starts.map((start) => x[Math.min(start + every, x.length) - 1]!),
    y: starts.map((start) => {
      const some = y.slice(start, start + every);
      if (some.includes(null)) return null;
      return (some as number[]).reduce((sum, value) => sum + value, 0) / some.length;
    }),
  };
}

function hasKind({ records }: MetricsData, kind: string): boolean {
  return records.some((record) => kindOf(record) === kind);
}

function kindOf({ kind }: MetricsRecord): string {
  return typeof kind === "string" ? kind : "other";
}

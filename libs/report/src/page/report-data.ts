import type { Chart } from "../run/curves.js";
import type { WinRateShare } from "../run/evaluation-files.js";

/** Everything a report shows. Every part but title, createdAt and stages may be missing. */
export interface ReportData {
  readonly title: string;
  /** One or two sentences under the title. */
  readonly lead?: string;
  /** ISO 8601. */
  readonly createdAt: string;
  /** The figures that matter, in large type. */
  readonly highlights?: readonly Highlight[];
  /** What came of each run, in words. */
  readonly verdict?: readonly { readonly name: string; readonly text: string }[];
  /** What could not be read or is not there, a sentence each. */
  readonly problems?: readonly string[];
  readonly stages: readonly StageRow[];
  readonly charts?: readonly Chart[];
  readonly rewardModels?: readonly RewardModelReport[];
  /** What was warned of, in order. */
  readonly alarms?: readonly AlarmRow[];
  readonly comparison?: Comparison;
  readonly samples?: readonly SampleRow[];
  /** How many prompts were answered in all; the samples are the first of each kind. */
  readonly numAnswered?: number;
  /** Shown as tables at the end, in order; values are written as JSON where they are no strings. */
  readonly configuration?: readonly ConfigurationTable[];
}

export interface Highlight {
  readonly label: string;
  readonly value: string;
  readonly detail?: string;
  /** Marks a target as met or missed; unset for plain figures. */
  readonly ok?: boolean;
}

export interface StageRow {
  readonly name: string;
  readonly durationMs?: number;
  /** Where it has not succeeded. */
  readonly state?: string;
  readonly tokensPerSecond?: number;
  /** What the stage did, e.g. "781 steps of 2 048 tokens". */
  readonly work?: string;
  /** What came out, e.g. "validation loss 0.56". */
  readonly result?: string;
}

export interface RewardModelReport {
  /** Of the run. */
  readonly name: string;
  /** Held-out pair accuracy, 0 to 1; absent over no pair. */
  readonly accuracy?: number;
  /** The best that the labelers' noise allows. */
  readonly ceiling?: number;
  readonly crossEntropy?: number;
  readonly calibrationError?: number;
  readonly numPairs?: number;
  /** Bins of confidence: mean predicted probability (center) against observed share (accuracy). */
  readonly calibration?: readonly { center: number; accuracy: number; count: number }[];
}

/** An alarm of a run. */
export interface AlarmRow {
  readonly run: string;
  /** When it sounded; absent where the whole run is meant. */
  readonly step?: number;
  readonly message: string;
  readonly meaning: string;
  readonly advice: string;
}

export interface Comparison {
  /** Column order, e.g. base, SFT, PPO. */
  readonly models: readonly string[];
  /** Who gave the scores below; default `gold`. */
  readonly scorer?: string;
  readonly kinds: readonly ComparisonRow[];
  readonly overall?: ComparisonRow;
  readonly winRates?: readonly { model: string; against: string; winRate: WinRateShare }[];
  /** Sentences under the heading, e.g. what a best-of-n column is. */
  readonly notes?: readonly string[];
}

/** Figures in the order of `Comparison.models`; undefined where there is none. */
export interface ComparisonRow {
  readonly kind: string;
  readonly count?: number;
  /** Share of exact matches, 0 to 1. */
  readonly exact: readonly (number | undefined)[];
  /** Mean score by the scorer. */
  readonly gold?: readonly (number | undefined)[];
}

export interface SampleRow {
  readonly kind: string;
  readonly prompt: string;
  readonly reference?: string;
  readonly answers: readonly SampleAnswer[];
}

export interface SampleAnswer {
  readonly model: string;
  readonly text: string;
  readonly exact?: boolean;
  readonly gold?: number;
  readonly reward?: number;
}

export interface ConfigurationTable {
  readonly title: string;
  readonly values: Readonly<Record<string, unknown>>;
  /** What was read. */
  readonly data?: readonly {
    readonly file: string;
    readonly sha256: string;
    readonly size: string;
  }[];
}

import type { WinRate } from "../win-rate.js";
import type { Point } from "./line-chart.js";

/** Everything a report shows. Every part but title, createdAt and stages may be missing. */
export interface ReportData {
  readonly title: string;
  /** One or two sentences under the title. */
  readonly lead?: string;
  /** ISO 8601. */
  readonly createdAt: string;
  /** The figures that matter, in large type. */
  readonly highlights?: readonly Highlight[];
  readonly stages: readonly StageRow[];
  readonly lossCurves?: readonly LossCurve[];
  readonly rewardModel?: RewardModelReport;
  readonly ppo?: readonly PpoPoint[];
  /** What PPO warned of, in order. */
  readonly alarms?: readonly AlarmRow[];
  readonly comparison?: Comparison;
  readonly samples?: readonly SampleRow[];
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
  readonly durationMs: number;
  readonly tokensPerSecond?: number;
  /** What the stage did, e.g. "781 steps of 2 048 tokens". */
  readonly work?: string;
  /** What came out, e.g. "validation loss 0.56". */
  readonly result?: string;
}

/** Loss in nats per token over optimizer steps. */
export interface LossCurve {
  readonly stage: string;
  readonly train: readonly Point[];
  readonly validation?: readonly Point[];
}

export interface RewardModelReport {
  /** Held-out pair accuracy, 0 to 1; absent over no pair. */
  readonly accuracy?: number;
  /** The best that the labelers' noise allows. */
  readonly ceiling?: number;
  readonly crossEntropy?: number;
  readonly calibrationError?: number;
  readonly numPairs?: number;
  /** Bins of confidence: mean predicted probability (center) against observed share (accuracy). */
  readonly calibration?: readonly { center: number; accuracy: number; count: number }[];
  /** Held-out accuracy over optimizer steps. */
  readonly accuracyCurve?: readonly Point[];
}

/** One PPO update; null or a missing field leaves a gap. */
export interface PpoPoint {
  readonly step: number;
  readonly reward?: number | null;
  /** The world's noise-free score, where one exists. */
  readonly gold?: number | null;
  /** Nats per answer against the SFT model. */
  readonly kl?: number | null;
  readonly klCoef?: number | null;
  /** Tokens. */
  readonly responseLength?: number | null;
  /** Nats per token. */
  readonly entropy?: number | null;
  readonly eosRate?: number | null;
}

/** An alarm that sounded during PPO. */
export interface AlarmRow {
  /** The update. */
  readonly step: number;
  readonly message: string;
  readonly meaning: string;
  readonly advice: string;
}

export interface Comparison {
  /** Column order, e.g. base, SFT, PPO. */
  readonly models: readonly string[];
  readonly kinds: readonly ComparisonRow[];
  readonly overall?: ComparisonRow;
  readonly winRates?: readonly { model: string; against: string; winRate: WinRate }[];
  /** Sentences under the heading, e.g. what a best-of-n column is. */
  readonly notes?: readonly string[];
}

/** Figures in the order of `Comparison.models`; undefined where there is none. */
export interface ComparisonRow {
  readonly kind: string;
  readonly count?: number;
  /** Share of exact matches, 0 to 1. */
  readonly exact: readonly (number | undefined)[];
  /** Mean gold score, 0 to 1. */
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
}

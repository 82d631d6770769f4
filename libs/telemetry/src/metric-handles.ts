import type {
  CounterDefinition,
  GaugeDefinition,
  HistogramDefinition,
} from "./metric-definitions.js";

export type Labels<L extends string> = Readonly<Record<L, string>>;

export interface CounterHandle<L extends string> {
  add(labels: Labels<L>, count?: number): void;
}

export interface GaugeHandle<L extends string> {
  set(labels: Labels<L>, value: number): void;
  add(labels: Labels<L>, delta: number): void;
  /** Takes the series away until it is set again: a figure that is not known any more. */
  remove(labels: Labels<L>): void;
}

export interface HistogramHandle<L extends string> {
  /** In the unit of the definition. */
  observe(labels: Labels<L>, value: number): void;
}

/** One process's metrics. Asking twice for the same definition gives the same series. */
export interface Metrics {
  counter<L extends string>(definition: CounterDefinition<L>): CounterHandle<L>;
  gauge<L extends string>(definition: GaugeDefinition<L>): GaugeHandle<L>;
  histogram<L extends string>(definition: HistogramDefinition<L>): HistogramHandle<L>;
  /**
   * Called before every scrape, for figures that are looked up rather than counted. A failure leaves
   * the figures as they were. Returns how to stop.
   */
  onScrape(collect: () => void | Promise<void>): () => void;
  /** Prometheus text exposition. */
  text(): Promise<string>;
  readonly contentType: string;
}

import type {
  CounterDefinition,
  GaugeDefinition,
  HistogramDefinition,
  Metrics,
} from "@stagecraft/telemetry";

/** One thing that happened to a metric, as plain data. */
export type MetricSample =
  | { kind: "counter"; definition: CounterDefinition; labels: Labels; value: number }
  | {
      kind: "gauge";
      definition: GaugeDefinition;
      labels: Labels;
      value: number;
      how: "set" | "add" | "remove";
    }
  | { kind: "histogram"; definition: HistogramDefinition; labels: Labels; value: number };

type Labels = Readonly<Record<string, string>>;

/** Nobody scrapes a thread: what is looked up at a scrape is looked up so often. */
const COLLECT_EVERY_MS = 5000;

/** Metrics for a thread, whose samples its owner applies to the metrics that are scraped. */
export function forwardMetrics(emit: (sample: MetricSample) => void): Metrics {
  return {
    counter: (definition) => ({
      add: (labels, value = 1) => emit({ kind: "counter", definition, labels, value }),
    }),
    gauge: (definition) => ({
      set: (labels, value) => emit({ kind: "gauge", definition, labels, value, how: "set" }),
      add: (labels, value) => emit({ kind: "gauge", definition, labels, value, how: "add" }),
      remove: (labels) => emit({ kind: "gauge", definition, labels, value: 0, how: "remove" }),
    }),
    histogram: (definition) => ({
      observe: (labels, value) => emit({ kind: "histogram", definition, labels, value }),
    }),
    onScrape(collect) {
      const timer = setInterval(() => void collect(), COLLECT_EVERY_MS).unref();
      return () => clearInterval(timer);
    },
    text: async () => "",
    contentType: "",
  };
}

/** Does to the metrics what a thread's sample says. */
export function applySample(metrics: Metrics, sample: MetricSample): void {
  const { labels, value } = sample;
  switch (sample.kind) {
    case "counter":
      metrics.counter(sample.definition).add(labels, value);
      break;
    case "gauge":
      metrics.gauge(sample.definition)[sample.how](labels, value);
      break;
    case "histogram":
      metrics.histogram(sample.definition).observe(labels, value);
      break;
  }
}

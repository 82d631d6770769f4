import { Counter, Gauge, Histogram, Registry } from "prom-client";
import type {
  CounterDefinition,
  GaugeDefinition,
  HistogramDefinition,
} from "./metric-definitions.js";
import type { CounterHandle, GaugeHandle, HistogramHandle, Metrics } from "./metric-handles.js";
import { watchProcess } from "./process-metrics.js";

/** A registry of its own (nothing global, so that one process can host several services). */
export function createMetrics(options: { service: string }): Metrics {
  const registry = new Registry();
  registry.setDefaultLabels({ service: options.service });
  const handles = new Map<string, unknown>();
  const collectors = new Set<() => void | Promise<void>>();
  const once = <T>(name: string, create: () => T): T => {
    if (!handles.has(name)) handles.set(name, create());
    return handles.get(name) as T;
  };
  const metrics: Metrics = {
    counter: (definition) => once(definition.name, () => createCounter(definition, registry)),
    gauge: (definition) => once(definition.name, () => createGauge(definition, registry)),
    histogram: (definition) => once(definition.name, () => createHistogram(definition, registry)),
    onScrape(collect) {
      collectors.add(collect);
      return () => collectors.delete(collect);
    },
    async text() {
      await Promise.allSettled([...collectors].map(async (collect) => collect()));
      return registry.metrics();
    },
    contentType: registry.contentType,
  };
  watchProcess(metrics);
  return metrics;
}

function createCounter<L extends string>(
  { name, doc, labels }: CounterDefinition<L>,
  registry: Registry,
): CounterHandle<L> {
  const counter = new Counter({ name, help: doc, labelNames: labels, registers: [registry] });
  return { add: (values, count = 1) => counter.inc(values, count) };
}

function createGauge<L extends string>(
  { name, doc, labels }: GaugeDefinition<L>,
  registry: Registry,
): GaugeHandle<L> {
  const gauge = new Gauge({ name, help: doc, labelNames: labels, registers: [registry] });
  return {
    set: (values, value) => gauge.set(values, value),
    add: (values, delta) => gauge.inc(values, delta),
    remove: (values) => gauge.remove(values),
  };
}

function createHistogram<L extends string>(
  { name, doc, labels, buckets }: HistogramDefinition<L>,
  registry: Registry,
): HistogramHandle<L> {
  const histogram = new Histogram({
    name,
    help: doc,
    labelNames: labels,
    buckets: [...buckets],
    registers: [registry],
  });
  return { observe: (values, value) => histogram.observe(values, value) };
}

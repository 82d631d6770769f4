export { createLogger, silentLogger, type Logger, type LoggerOptions } from "./logger.js";
export { createMetrics } from "./metrics.js";
export type {
  CounterHandle,
  GaugeHandle,
  HistogramHandle,
  Labels,
  Metrics,
} from "./metric-handles.js";
export {
  describeMetrics,
  METRICS,
  type CounterDefinition,
  type GaugeDefinition,
  type HistogramDefinition,
  type MetricDefinition,
} from "./metric-definitions.js";
export { watchEngine, type EngineReport } from "./engine-metrics.js";
export { clearWorkerHeap, watchHeap } from "./process-metrics.js";
export { metricsDocument } from "./metrics-document.js";
export { monitoringFiles } from "./monitoring/monitoring-files.js";
export { serveMetrics, type MetricsServer } from "./metrics-server.js";
export { formatTraceparent, parseTraceparent, type TraceHeaders } from "./traceparent.js";
export {
  recordSpans,
  startTraceExport,
  type RecordedSpan,
  type TraceExport,
  type TraceExportOptions,
} from "./trace-export.js";
export {
  contextFromHeaders,
  headersFromContext,
  startSpan,
  type OpenSpan,
  withSpan,
  type SpanOptions,
  type TraceContext,
  type TraceScope,
} from "./tracing.js";

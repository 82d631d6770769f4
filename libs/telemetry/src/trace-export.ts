import { trace } from "@opentelemetry/api";
import { OTLPTraceExporter } from "@opentelemetry/exporter-trace-otlp-http";
import { resourceFromAttributes } from "@opentelemetry/resources";
import {
  AlwaysOnSampler,
  BatchSpanProcessor,
  InMemorySpanExporter,
  ParentBasedSampler,
  SimpleSpanProcessor,
  TraceIdRatioBasedSampler,
  TracerProvider,
  type SpanProcessor,
} from "@opentelemetry/sdk-trace";
import { StagecraftError } from "@stagecraft/core";

export interface TraceExportOptions {
  /** `service.name` of every span. */
  service: string;
  /** OTLP over HTTP, e.g. `http://127.0.0.1:4318`; empty = spans are not recorded. */
  endpoint: string;
  /** Share of traces recorded, decided where a trace begins; default 1. */
  sampleRatio?: number;
}

/** Recording of this process's spans. */
export interface TraceExport extends AsyncDisposable {
  /** Sends what is waiting and stops recording; waits a few seconds at most. */
  close(): Promise<void>;
}

/** A finished span as tests look at it. */
export interface RecordedSpan {
  name: string;
  traceId: string;
  spanId: string;
  parentSpanId: string | undefined;
  attributes: Readonly<Record<string, unknown>>;
  /** Span ids of the links. */
  links: readonly string[];
}

/** One optimizer step links to every rollout it learnt from. */
const MAX_LINKS = 4096;
const MAX_QUEUED_SPANS = 16_384;
const FLUSH_TIMEOUT_MS = 3000;

/** Sends the spans of this process to a collector; does nothing without an endpoint. */
export function startTraceExport(options: TraceExportOptions): TraceExport {
  const { service, endpoint, sampleRatio = 1 } = options;
  if (endpoint === "") return { close: resolved, [Symbol.asyncDispose]: resolved };
  const exporter = new OTLPTraceExporter({ url: tracesUrl(endpoint) });
  const processor = new BatchSpanProcessor({ exporter, maxQueueSize: MAX_QUEUED_SPANS });
  const close = register(service, processor, sampleRatio);
  return { close, [Symbol.asyncDispose]: close };
}

/** Keeps the spans of this process in memory; for tests. */
export function recordSpans(): AsyncDisposable & { spans(): RecordedSpan[] } {
  const exporter = new InMemorySpanExporter();
  const close = register("test", new SimpleSpanProcessor({ exporter }), 1);
  const spans = () =>
    exporter.getFinishedSpans().map((span) => ({
      name: span.name,
      traceId: span.spanContext().traceId,
      spanId: span.spanContext().spanId,
      parentSpanId: span.parentSpanContext?.spanId,
      attributes: span.attributes,
      links: span.links.map(({ context }) => context.spanId),
    }));
  return { spans, [Symbol.asyncDispose]: close };
}

function register(service: string, processor: SpanProcessor, sampleRatio: number) {
  const root = sampleRatio >= 1 ? new AlwaysOnSampler() : new TraceIdRatioBasedSampler(sampleRatio);
  const provider = new TracerProvider({
    resource: resourceFromAttributes({ "service.name": service }),
    sampler: new ParentBasedSampler({ root }),
    spanLimits: { linkCountLimit: MAX_LINKS },
    spanProcessors: [processor],
    forceFlushTimeoutMillis: FLUSH_TIMEOUT_MS,
  });
  if (!trace.setGlobalTracerProvider(provider)) {
    throw new StagecraftError("failed_precondition", "this process records spans already");
  }
  return async () => {
    trace.disable();
    // A collector that is away must not keep the process from ending.
    await Promise.race([provider.shutdown().catch(() => undefined), afterFlushTimeout()]);
  };
}

function tracesUrl(endpoint: string): string {
  if (!URL.canParse(endpoint) || !/^https?:/.test(endpoint)) {
    throw new StagecraftError(
      "invalid_argument",
      `traces endpoint "${endpoint}" is not an http(s) URL; write e.g. http://127.0.0.1:4318`,
    );
  }
  const url = new URL(endpoint);
  if (url.pathname === "/") url.pathname = "/v1/traces";
  return url.href;
}

function afterFlushTimeout(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, FLUSH_TIMEOUT_MS).unref());
}

function resolved(): Promise<void> {
  return Promise.resolve();
}

import {
  context as contextApi,
  isSpanContextValid,
  ROOT_CONTEXT,
  SpanKind,
  SpanStatusCode,
  trace,
  TraceFlags,
  type Attributes,
  type Context,
  type Link,
  type Span,
} from "@opentelemetry/api";
import { randomHex } from "./random-hex.js";
import { formatTraceparent, parseTraceparent, type TraceHeaders } from "./traceparent.js";

/** An OpenTelemetry context, passed explicitly so that tracing works with no SDK installed. */
export type TraceContext = Context;

const TRACER_NAME = "stagecraft";

export interface SpanOptions {
  kind?: "internal" | "server" | "client" | "producer" | "consumer";
  /** What the span belongs to; default the active context of an installed SDK. */
  parent?: TraceContext;
  /** Other traces that flowed in, e.g. the rollouts of one optimizer step. */
  links?: readonly TraceHeaders[];
  attributes?: Attributes;
}

export interface TraceScope {
  span: Span;
  /** Pass as `parent` to calls made inside. */
  context: TraceContext;
  headers(): TraceHeaders;
}

/** A span that ends when it is told to, for work that is no single function call. */
export interface OpenSpan extends TraceScope {
  /** With the error of work that failed. Ending twice does nothing. */
  end(error?: unknown): void;
}

/**
 * Runs `body` in a span; a throw marks the span failed and passes on. Without an SDK nothing is
 * recorded, but the trace id still travels, so that logs of all services can be joined on it.
 */
export async function withSpan<T>(
  name: string,
  options: SpanOptions,
  body: (scope: TraceScope) => Promise<T>,
): Promise<T> {
  const open = startSpan(name, options);
  try {
    const result = await contextApi.with(open.context, () => body(open));
    open.end();
    return result;
  } catch (error) {
    open.end(error);
    throw error;
  }
}

/** See withSpan(); the caller ends the span. */
export function startSpan(name: string, options: SpanOptions = {}): OpenSpan {
  const parent = options.parent ?? contextApi.active();
  const started = trace.getTracer(TRACER_NAME).startSpan(
    name,
    {
      kind: SPAN_KINDS[options.kind ?? "internal"],
      ...(options.attributes ? { attributes: options.attributes } : {}),
      links: linksOf(options.links ?? []),
    },
    parent,
  );
  const span = orOwnTrace(started);
  const context = trace.setSpan(parent, span);
  let ended = false;
  return {
    span,
    context,
    headers: () => headersFromContext(context),
    end(error) {
      if (ended) return;
      ended = true;
      if (error !== undefined) {
        span.setStatus({ code: SpanStatusCode.ERROR, message: String(error) });
      }
      span.end();
    },
  };
}

/** The context that continues the trace of incoming headers; a root context when there are none. */
export function contextFromHeaders(headers: TraceHeaders): TraceContext {
  const remote = parseTraceparent(headers);
  return remote ? trace.setSpanContext(ROOT_CONTEXT, remote) : ROOT_CONTEXT;
}

/** Headers for an outgoing call or message; empty when the context carries no span. */
export function headersFromContext(context: TraceContext): TraceHeaders {
  const span = trace.getSpanContext(context);
  if (!span) return {};
  const tracestate = span.traceState?.serialize();
  return { traceparent: formatTraceparent(span), ...(tracestate ? { tracestate } : {}) };
}

const SPAN_KINDS = {
  internal: SpanKind.INTERNAL,
  server: SpanKind.SERVER,
  client: SpanKind.CLIENT,
  producer: SpanKind.PRODUCER,
  consumer: SpanKind.CONSUMER,
} as const;

/** With no SDK the API hands out the all-zero trace id: start an unsampled trace of our own. */
function orOwnTrace(span: Span): Span {
  if (isSpanContextValid(span.spanContext())) return span;
  return trace.wrapSpanContext({
    traceId: randomHex(16),
    spanId: randomHex(8),
    traceFlags: TraceFlags.NONE,
  });
}

function linksOf(headers: readonly TraceHeaders[]): Link[] {
  return headers.flatMap((header) => {
    const context = parseTraceparent(header);
    return context ? [{ context }] : [];
  });
}

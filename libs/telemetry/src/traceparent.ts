import { createTraceState, isSpanContextValid, type SpanContext } from "@opentelemetry/api";

/** The W3C Trace Context headers, as they travel in gRPC metadata and NATS headers. */
export interface TraceHeaders {
  traceparent?: string;
  tracestate?: string;
}

// https://www.w3.org/TR/trace-context/#traceparent-header; versions above 00 may append fields.
const TRACEPARENT = /^([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?$/;

/** `00-<trace id>-<span id>-<flags>`. */
export function formatTraceparent(span: SpanContext): string {
  const flags = (span.traceFlags & 0xff).toString(16).padStart(2, "0");
  return `00-${span.traceId}-${span.spanId}-${flags}`;
}

/** The remote span, or undefined when the header is absent or malformed (a trace then starts anew). */
export function parseTraceparent(headers: TraceHeaders): SpanContext | undefined {
  const match = TRACEPARENT.exec(headers.traceparent?.trim() ?? "");
  if (!match || match[1] === "ff" || (match[1] === "00" && match[5] !== undefined))
    return undefined;
  const span: SpanContext = {
    traceId: match[2]!,
    spanId: match[3]!,
    traceFlags: Number.parseInt(match[4]!, 16),
    isRemote: true,
    ...(headers.tracestate ? { traceState: createTraceState(headers.tracestate) } : {}),
  };
  return isSpanContextValid(span) ? span : undefined;
}

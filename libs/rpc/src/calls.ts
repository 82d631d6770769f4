import { setMaxListeners } from "node:events";
import { setTimeout as delay } from "node:timers/promises";
import { Metadata, type Client } from "@grpc/grpc-js";
import { StagecraftError, throwIfAborted } from "@stagecraft/core";
import { headersFromContext, startSpan, withSpan, type TraceContext } from "@stagecraft/telemetry";
import {
  startBidi,
  startClientStream,
  startServerStream,
  startUnary,
  type AttemptContext,
} from "./attempt.js";
import {
  progressOf,
  retryDelayMs,
  shouldRetry,
  unsentDelayMs,
  type RetryPolicy,
  type RetryThrottle,
} from "./retry.js";
import type { AnyMethod, CallOptions } from "./types.js";

/** What every call of a client has in common. */
export interface CallDefaults {
  timeoutMs: number;
  retry: RetryPolicy;
  throttle: RetryThrottle;
  waitForReady: boolean;
  token: string | (() => string) | undefined;
  onFinished(method: string, code: string): void;
  onRetry(method: string): void;
}

/** Gives each method its function: a promise or an async iterable, by the shape of the method. */
export function createCaller(client: Client, defaults: CallDefaults) {
  return (method: AnyMethod, idempotent: boolean) => {
    const open = (options: CallOptions | undefined, repeatable = true) =>
      openCall(client, method, { idempotent, repeatable, defaults, options: options ?? {} });
    if (!method.requestStream && !method.responseStream) {
      return (request: unknown, options?: CallOptions) =>
        callUnary(open(options), (context) => startUnary(context, request));
    }
    if (!method.requestStream) {
      return (request: unknown, options?: CallOptions) =>
        callStream(open(options), (context) => startServerStream(context, request));
    }
    // A consumed request stream cannot be sent again.
    if (!method.responseStream) {
      return (requests: AsyncIterable<unknown>, options?: CallOptions) =>
        callUnary(open(options, false), (context) => startClientStream(context, requests));
    }
    return (requests: AsyncIterable<unknown>, options?: CallOptions) =>
      callStream(open(options, false), (context) => startBidi(context, requests));
  };
}

interface OpenCall {
  path: string;
  parentTrace: TraceContext | undefined;
  signal: AbortSignal | undefined;
  attempt(trace: TraceContext): AttemptContext;
  /** Waits and returns, or throws the error when the call is over. */
  retryOrThrow(thrown: unknown, started: boolean): Promise<void>;
  succeeded(): void;
  dispose(): void;
}

function openCall(
  client: Client,
  method: AnyMethod,
  how: { idempotent: boolean; repeatable: boolean; defaults: CallDefaults; options: CallOptions },
): OpenCall {
  const { defaults, options, repeatable } = how;
  const { retry: policy, throttle } = defaults;
  const startedAt = performance.now();
  const counts = { sent: 0, unsent: 0 };
  const deadline = Math.min(
    Date.now() + (options.timeoutMs ?? defaults.timeoutMs),
    options.parent?.deadline ?? Infinity,
  );
  const { signal, dispose } = anySignal(options.signal, options.parent?.signal);
  const idempotent = options.idempotent ?? how.idempotent;
  return {
    path: method.path,
    parentTrace: options.parent?.trace,
    signal,
    dispose,
    attempt: (trace) => {
      throwIfAborted(signal);
      return { client, method, metadata: metadataOf(defaults, options, trace), deadline, signal };
    },
    async retryOrThrow(thrown, started) {
      const error = StagecraftError.from(thrown);
      const progress = progressOf(error);
      const wasSent = progress === "sent";
      counts[wasSent ? "sent" : "unsent"]++;
      if (wasSent && error.code === "unavailable") throttle.failed();
      const waitMs = wasSent
        ? retryDelayMs(counts.sent, policy, Math.random())
        : unsentDelayMs(counts.unsent, Math.random());
      const facts = { code: error.code, progress, idempotent, attempt: counts.sent, started };
      const elapsedMs = performance.now() - startedAt;
      const inTime = Date.now() + waitMs < deadline && !signal?.aborted;
      const again = repeatable && inTime && shouldRetry({ ...facts, elapsedMs, policy, throttle });
      if (!again) {
        defaults.onFinished(method.path, error.code);
        throw error;
      }
      defaults.onRetry(method.path);
      if (waitMs === 0) return;
      await delay(waitMs, undefined, signal ? { signal } : {}).catch(() => throwIfAborted(signal));
    },
    succeeded: () => {
      defaults.throttle.succeeded();
      defaults.onFinished(method.path, "ok");
    },
  };
}

async function callUnary(
  call: OpenCall,
  start: (context: AttemptContext) => Promise<unknown>,
): Promise<unknown> {
  try {
    return await withSpan(call.path.slice(1), spanOptions(call), async ({ context }) => {
      for (;;) {
        try {
          const response = await start(call.attempt(context));
          call.succeeded();
          return response;
        } catch (error) {
          await call.retryOrThrow(error, false);
        }
      }
    });
  } finally {
    call.dispose();
  }
}

async function* callStream(
  call: OpenCall,
  start: (context: AttemptContext) => AsyncIterable<unknown>,
): AsyncGenerator {
  const span = startSpan(call.path.slice(1), spanOptions(call));
  try {
    for (;;) {
      let started = false;
      try {
        for await (const response of start(call.attempt(span.context))) {
          started = true;
          yield response;
        }
        call.succeeded();
        return;
      } catch (error) {
        await call.retryOrThrow(error, started);
      }
    }
  } catch (error) {
    span.end(error);
    throw error;
  } finally {
    span.end(); // also when the reader leaves early
    call.dispose();
  }
}

function spanOptions(call: OpenCall) {
  return { kind: "client" as const, ...(call.parentTrace ? { parent: call.parentTrace } : {}) };
}

function metadataOf(defaults: CallDefaults, options: CallOptions, trace: TraceContext): Metadata {
  const waitForReady = options.waitForReady ?? defaults.waitForReady;
  const metadata = new Metadata({ waitForReady });
  const headers = { ...headersFromContext(trace), ...options.metadata };
  for (const [name, value] of Object.entries(headers)) metadata.set(name, String(value));
  const { token: given } = defaults;
  const token = typeof given === "function" ? given() : given;
  if (token !== undefined) metadata.set("authorization", `Bearer ${token}`);
  return metadata;
}

/** AbortSignal.any() leaks on long-lived signals in Node 20; this one lets go. */
function anySignal(...signals: readonly (AbortSignal | undefined)[]) {
  const given = signals.filter((signal) => signal !== undefined);
  // One signal for many calls is usual (shutdown, a fan-out), not a leak: listeners are removed.
  if (given.length > 0) setMaxListeners(0, ...given);
  if (given.length < 2) return { signal: given[0], dispose: () => undefined };
  const controller = new AbortController();
  const abort = (event: { target: EventTarget | null } | Event) =>
    controller.abort((event.target as AbortSignal).reason);
  for (const signal of given) {
    if (signal.aborted) controller.abort(signal.reason);
    signal.addEventListener("abort", abort, { once: true });
  }
  const dispose = () => {
    for (const signal of given) signal.removeEventListener("abort", abort);
  };
  return { signal: controller.signal, dispose };
}

import { setMaxListeners } from "node:events";
import { setTimeout as delay } from "node:timers/promises";
import { StagecraftError, throwIfAborted } from "@stagecraft/core";
import { headersFromContext } from "@stagecraft/telemetry";
import type { PublishAck, PublishOptions } from "../bus.js";
import type { Broker, Headers } from "./broker.js";
import { HEADER } from "./headers.js";
import type { Limiter } from "./limiter.js";
import { checkSubject } from "./subjects.js";

const DEFAULT_TIMEOUT_MS = 30_000;
const MAX_WAIT_MS = 2000;

export interface Publisher {
  broker: Pick<Broker, "store">;
  /** Bounds what is in flight. */
  limiter: Limiter;
  onRetry?(subject: string): void;
}

/** See EventBus.publish(). The id is the same on every attempt, so a repeat is stored once. */
export async function publishUntilStored(
  { broker, limiter, onRetry }: Publisher,
  subject: string,
  data: Uint8Array,
  options: PublishOptions,
): Promise<PublishAck> {
  checkSubject(subject);
  const endsAt = performance.now() + (options.timeoutMs ?? DEFAULT_TIMEOUT_MS);
  const headers = headersOf(options);
  if (options.signal) setMaxListeners(0, options.signal); // shared by many publishes, each lets go
  for (let attempt = 1; ; attempt++) {
    throwIfAborted(options.signal);
    try {
      return await limiter.run(data.length, options.signal, () =>
        broker.store(subject, data, headers),
      );
    } catch (thrown) {
      const error = StagecraftError.from(thrown);
      const waitMs = waitAfter(attempt, Math.random());
      if (!worthRepeating(error) || performance.now() + waitMs > endsAt) {
        throw finalError(error, subject, options.id);
      }
      onRetry?.(subject);
      await delay(waitMs, undefined, options.signal ? { signal: options.signal } : {}).catch(() =>
        throwIfAborted(options.signal),
      );
    }
  }
}

function worthRepeating({ code }: StagecraftError): boolean {
  return code === "unavailable" || code === "resource_exhausted";
}

/** 10 ms doubling to 2 s; the upper half is random so that producers do not return in step. */
function waitAfter(attempt: number, random: number): number {
  const bound = Math.min(MAX_WAIT_MS, 10 * 2 ** Math.min(attempt, 16));
  return bound * (0.5 + random / 2);
}

function finalError(error: StagecraftError, subject: string, id: string): StagecraftError {
  const advice = {
    unavailable: "; it may have been stored, publish again with the same id",
    resource_exhausted: "; consumers are behind or the stream's limit is too small",
  }[error.code as string];
  return new StagecraftError(error.code, `publish to ${subject}: ${error.reason}${advice ?? ""}`, {
    cause: error,
    details: { subject, id },
  });
}

function headersOf(options: PublishOptions): Headers {
  if (options.id.length === 0 || /[\r\n]/.test(options.id)) {
    throw new StagecraftError("invalid_argument", "a published message needs an id of one line");
  }
  return {
    [HEADER.dedupeId]: options.id,
    ...(options.trace ? headersFromContext(options.trace) : {}),
    ...options.headers,
  };
}

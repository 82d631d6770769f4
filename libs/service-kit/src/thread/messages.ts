import { StagecraftError, type ErrorCode } from "@stagecraft/core";
import type { MetricSample } from "./forward-metrics.js";

/** How often a thread says that its event loop turns. */
export const BEAT_MS = 250;

/** What the owner of a thread sends into it. */
export type ToThread =
  | { kind: "call"; id: number; method: string; args: unknown }
  | { kind: "tell"; method: string; args: unknown }
  | { kind: "cancel"; id: number; details: PlainError["details"] }
  | { kind: "reply"; id: number; error: PlainError | undefined }
  | { kind: "close" };

/** What a thread sends to its owner; any of them shows that its event loop turns. */
export type FromThread =
  | { kind: "ready"; facts: unknown }
  | { kind: "result"; id: number; value: unknown }
  | { kind: "error"; id: number; error: PlainError }
  | { kind: "event"; event: unknown }
  | { kind: "ask"; id: number; question: unknown }
  | { kind: "sample"; sample: MetricSample }
  | { kind: "beat" };

/** An error as plain data; what is not ours becomes `internal` with its stack in the cause. */
export interface PlainError {
  code: ErrorCode;
  reason: string;
  details: Readonly<Record<string, unknown>>;
  stack: string;
}

/** Causes travel as the text of their stack, for logs. */
export function toPlainError(thrown: unknown): PlainError {
  const { code, reason, details, stack = "", cause } = StagecraftError.from(thrown);
  const below = cause instanceof Error ? `\ncaused by ${cause.stack ?? cause.message}` : "";
  return { code, reason, details: plainDetails(details), stack: stack + below };
}

/** The error again; its cause holds the stack of the thread it came from. */
export function fromPlainError({ code, reason, details, stack }: PlainError): StagecraftError {
  const cause = new Error("in a worker thread");
  cause.stack = stack;
  return new StagecraftError(code, reason, { details, cause });
}

function plainDetails(details: Readonly<Record<string, unknown>>): Record<string, unknown> {
  try {
    return structuredClone({ ...details });
  } catch {
    return {}; // functions and the like do not travel
  }
}

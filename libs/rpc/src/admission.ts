import { createHash, timingSafeEqual } from "node:crypto";
import type { Metadata } from "@grpc/grpc-js";
import { ServerInterceptingCall, status as Status, type ServerInterceptor } from "@grpc/grpc-js";
import { StagecraftError } from "@stagecraft/core";
import type { Logger } from "@stagecraft/telemetry";
import { idsOf } from "./log-ids.js";
import { statusFromError } from "./status.js";

export interface AdmissionOptions {
  /** Accepted bearer tokens; undefined = no token asked. */
  tokens: readonly string[] | undefined;
  /** Calls in flight allowed for a method. */
  maxConcurrent: (method: string) => number;
  logger: Logger;
  /** Called once per finished call, refused ones included. */
  onFinished(call: { method: string; code: Status; durationMs: number }): void;
  onStarted(method: string): void;
}

/** Counts calls from their headers to the later of final status and the handler's end. */
export interface Admission {
  interceptor: ServerInterceptor;
  /** Keeps the call counted until `release`, even after the client went away. */
  hold(metadata: Metadata): { release(): void };
  inFlight(): number;
  /** Resolves when no call is counted. */
  idle(): Promise<void>;
}

interface CallRecord {
  method: string;
  holders: number;
}

/** Health answers always: probes carry no token and must not starve behind a full queue. */
const EXEMPT = /^\/grpc\.health\.v1\.Health\//;

/**
 * Decides before a byte of the message is decoded. Slots of a method outlive a cancelled call whose
 * handler still runs: otherwise a client could pile up work by calling and hanging up.
 */
export function createAdmission(options: AdmissionOptions): Admission {
  const counts = new Map<string, number>();
  const records = new WeakMap<Metadata, CallRecord>();
  const waiters = new Set<() => void>();
  let total = 0;
  const digests = options.tokens?.map(digest);

  const release = (record: CallRecord) => {
    if (--record.holders > 0) return;
    counts.set(record.method, (counts.get(record.method) ?? 1) - 1);
    if (--total > 0) return;
    for (const wake of waiters) wake();
    waiters.clear();
  };
  const admit = (method: string, metadata: Metadata): CallRecord => {
    if (digests) checkToken(metadata, digests);
    const count = counts.get(method) ?? 0;
    const limit = options.maxConcurrent(method);
    if (count >= limit) {
      throw new StagecraftError(
        "resource_exhausted",
        `${method} is serving its limit of ${limit} calls; retry later`,
        { details: { limit } },
      );
    }
    counts.set(method, count + 1);
    total++;
    const record = { method, holders: 1 };
    records.set(metadata, record);
    return record;
  };

  const interceptor: ServerInterceptor = ({ path }, call) => {
    if (EXEMPT.test(path)) return new ServerInterceptingCall(call);
    const startedAt = performance.now();
    let record: CallRecord | undefined;
    let code = Status.CANCELLED; // stands when the stream closes without a status of ours
    return new ServerInterceptingCall(call, {
      start: (next) =>
        next({
          onReceiveMetadata(metadata, proceed) {
            options.onStarted(path);
            try {
              record = admit(path, metadata);
            } catch (error) {
              const status = statusFromError(error, "");
              code = status.code;
              const facts = { method: path, peer: call.getPeer(), ...idsOf(metadata) };
              options.logger.warn(facts, status.details);
              call.sendStatus(status);
              return;
            }
            proceed(metadata);
          },
          onCancel() {
            // The deadline's status is sent below the interceptors.
            if (code === Status.CANCELLED && Date.now() >= Number(call.getDeadline())) {
              code = Status.DEADLINE_EXCEEDED;
            }
            options.onFinished({ method: path, code, durationMs: performance.now() - startedAt });
            if (record) release(record);
            record = undefined;
          },
        }),
      sendStatus(status, next) {
        code = status.code;
        next(status);
      },
    });
  };

  return {
    interceptor,
    hold(metadata) {
      const record = records.get(metadata);
      if (record) record.holders++;
      return { release: () => record && release(record) };
    },
    inFlight: () => total,
    idle: () =>
      total === 0 ? Promise.resolve() : new Promise((resolve) => waiters.add(() => resolve())),
  };
}

function checkToken(metadata: Metadata, digests: readonly Buffer[]): void {
  const header = metadata.get("authorization")[0];
  const token = /^Bearer (.+)$/i.exec(String(header ?? ""))?.[1];
  if (token === undefined) {
    throw new StagecraftError("unauthenticated", "a bearer token is required");
  }
  const given = digest(token);
  // Equal-length digests, all compared: the time says nothing about the tokens.
  const known = digests.map((expected) => timingSafeEqual(expected, given)).includes(true);
  if (!known) throw new StagecraftError("unauthenticated", "the bearer token is not valid here");
}

function digest(token: string): Buffer {
  return createHash("sha256").update(token).digest();
}

import type { Metadata } from "@grpc/grpc-js";
import { ServerInterceptingCall, status as Status, type ServerInterceptor } from "@grpc/grpc-js";
import { accessOf } from "@stagecraft/contracts";
import { StagecraftError } from "@stagecraft/core";
import type { Logger } from "@stagecraft/telemetry";
import type { AuditLog } from "./audit-log.js";
import type { CallQuotas } from "./call-quotas.js";
import { ANONYMOUS, checkAccess, type Caller, type Callers } from "./callers.js";
import { idsOf } from "./log-ids.js";
import { statusFromError } from "./status.js";
import type { UntakenAnswers } from "./untaken-answers.js";
import type { WaitingCall, WaitingCalls } from "./waiting-calls.js";

export interface AdmissionOptions {
  callers: Callers;
  quotas: CallQuotas;
  audit: AuditLog;
  /** Calls in flight allowed for a method. */
  maxConcurrent: (method: string) => number;
  /** Calls that wait for their callers; they make room for others. */
  waiting: WaitingCalls;
  /** Answers that nobody takes; their calls make room as well. */
  untaken: UntakenAnswers;
  logger: Logger;
  /** Called once per finished call, refused ones included. */
  onFinished(call: { method: string; code: Status; durationMs: number }): void;
  onStarted(method: string): void;
  onRefused(method: string, reason: RefusalReason): void;
}

/** Why a call did not reach its handler. */
export type RefusalReason = "caller" | "role" | "busy" | "quota";

/** Counts calls from their headers to the later of final status and the handler's end. */
export interface Admission {
  interceptor: ServerInterceptor;
  /** Keeps the call counted until `release`, even after the client went away. */
  hold(metadata: Metadata): { caller: Caller; release(): void };
  inFlight(): number;
  /** Resolves when no call is counted. */
  idle(): Promise<void>;
}

interface CallRecord {
  method: string;
  caller: Caller;
  holders: number;
}

/** What is known of a call from its headers and its connection. */
interface Shown {
  method: string;
  metadata: Metadata;
  peer: string;
  commonName: string | undefined;
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

  const release = (record: CallRecord) => {
    if (--record.holders > 0) return;
    counts.set(record.method, (counts.get(record.method) ?? 1) - 1);
    if (--total > 0) return;
    for (const wake of waiters) wake();
    waiters.clear();
  };
  const refusing = <T>(method: string, reason: RefusalReason, check: () => T): T => {
    try {
      return check();
    } catch (error) {
      options.onRefused(method, reason);
      throw error;
    }
  };
  const identify = ({ method, metadata, peer, commonName }: Shown): Caller => {
    const authorization = metadata.get("authorization")[0]?.toString();
    const caller = refusing(method, "caller", () =>
      options.callers.identify({ authorization, commonName }),
    );
    try {
      refusing(method, "role", () => checkAccess(caller, method, accessOf(method)));
    } catch (error) {
      const entry = { method, caller: caller.name, peer, callId: "" };
      if (accessOf(method).audit) options.audit.write({ event: "refused", ...entry });
      throw error;
    }
    refusing(method, "quota", () => options.quotas.take(clientOf(caller, peer), method));
    return caller;
  };
  const admit = (shown: Shown): CallRecord => {
    const { method, metadata } = shown;
    const caller = identify(shown);
    const count = counts.get(method) ?? 0;
    const limit = options.maxConcurrent(method);
    refusing(method, "busy", () => {
      const { waiting, untaken } = options;
      if (count < limit || waiting.makeRoom(method) || untaken.makeRoom(method)) return;
      throw new StagecraftError(
        "resource_exhausted",
        `${method} is serving its limit of ${limit} calls; retry later`,
        { details: { limit } },
      );
    });
    counts.set(method, (counts.get(method) ?? 0) + 1);
    total++;
    const record = { method, caller, holders: 1 };
    records.set(metadata, record);
    return record;
  };

  const interceptor: ServerInterceptor = ({ path, requestStream, responseStream }, call) => {
    if (EXEMPT.test(path)) return new ServerInterceptingCall(call);
    const startedAt = performance.now();
    let record: CallRecord | undefined;
    let waiting: WaitingCall | undefined;
    let code = Status.CANCELLED; // stands when the stream closes without a status of ours
    const end = (reason: unknown, facts: object = {}) => {
      const status = statusFromError(reason, "");
      code = status.code;
      options.logger.warn({ method: path, peer: call.getPeer(), ...facts }, status.details);
      call.sendStatus(status);
    };
    const onReset = (reason: string) => {
      code = Status.DEADLINE_EXCEEDED;
      options.logger.warn({ method: path, peer: call.getPeer() }, reason);
    };
    return new ServerInterceptingCall(call, {
      start: (next) =>
        next({
          onReceiveMetadata(metadata, proceed) {
            options.onStarted(path);
            try {
              const { sslPeerCertificate } = call.getAuthContext();
              const commonName = commonNameOf(sslPeerCertificate?.subject?.CN);
              record = admit({ method: path, metadata, peer: call.getPeer(), commonName });
            } catch (error) {
              end(error, idsOf(metadata));
              return;
            }
            const peer = clientOf(record.caller, call.getPeer());
            options.untaken.watch(call, { method: path, peer, onReset });
            const shape = { method: path, peer, requestStream, responseStream };
            waiting = options.waiting.open({ ...shape, end });
            proceed(metadata);
          },
          onReceiveMessage(message, proceed) {
            waiting?.received();
            proceed(message);
          },
          onReceiveHalfClose(proceed) {
            waiting?.complete();
            proceed();
          },
          onCancel() {
            waiting?.close();
            // The deadline's status is sent below the interceptors.
            if (code === Status.CANCELLED && Date.now() >= Number(call.getDeadline())) {
              code = Status.DEADLINE_EXCEEDED;
            }
            options.onFinished({ method: path, code, durationMs: performance.now() - startedAt });
            if (record) release(record);
            record = undefined;
          },
        }),
      sendMessage(message, next) {
        waiting?.sent();
        next(message);
      },
      sendStatus(status, next) {
        waiting?.close();
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
      return { caller: record?.caller ?? NOBODY, release: () => record && release(record) };
    },
    inFlight: () => total,
    idle: () =>
      total === 0 ? Promise.resolve() : new Promise((resolve) => waiters.add(() => resolve())),
  };
}

const NOBODY: Caller = { name: ANONYMOUS, roles: new Set() };

/** The common name of a certificate's subject; undefined without a certificate. */
export function commonNameOf(name: string | string[] | undefined): string | undefined {
  return Array.isArray(name) ? name.join(",") : name;
}

/** Whose call it is: by name, else by address. */
function clientOf(caller: Caller, peer: string): string {
  return caller.name === ANONYMOUS ? hostOf(peer) : caller.name;
}

/** `127.0.0.1:52000` → `127.0.0.1`: a client has many ports. */
function hostOf(peer: string): string {
  return peer.replace(/:\d+$/, "");
}

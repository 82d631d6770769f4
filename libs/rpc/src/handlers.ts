import { randomBytes } from "node:crypto";
import { once, type EventEmitter } from "node:events";
import type {
  Metadata,
  sendUnaryData,
  ServerDuplexStream,
  ServerReadableStream,
  ServerUnaryCall,
  ServerWritableStream,
  UntypedServiceImplementation,
} from "@grpc/grpc-js";
import { accessOf } from "@stagecraft/contracts";
import { StagecraftError } from "@stagecraft/core";
import { contextFromHeaders, withSpan, type Logger } from "@stagecraft/telemetry";
import { commonNameOf, type Admission } from "./admission.js";
import type { AuditLog } from "./audit-log.js";
import type { Caller } from "./callers.js";
import { createCancelling } from "./cancellation.js";
import type { CallContext } from "./context.js";
import { idsOf } from "./log-ids.js";
import { statusFromError, statusName } from "./status.js";
import type { AnyMethod, RpcService } from "./types.js";

export interface HandlerKit {
  logger: Logger;
  admission: Admission;
  audit: AuditLog;
}

/** Stands for a request that did not decode: grpc-js would answer a throw with INTERNAL. */
class Undecodable {
  constructor(readonly cause: unknown) {}
}

type IncomingCall =
  | ServerUnaryCall<unknown, unknown>
  | ServerReadableStream<unknown, unknown>
  | ServerWritableStream<unknown, unknown>
  | ServerDuplexStream<unknown, unknown>;
type AnyHandler = (input: unknown, context: CallContext) => unknown;

/** The definition with decoders that never throw; for `adaptHandlers()` only. */
export function guardDecoding(service: RpcService): RpcService {
  const guarded = Object.entries(service).map(([name, method]) => {
    const requestDeserialize = (bytes: Buffer): unknown => {
      try {
        return method.requestDeserialize(bytes) as unknown;
      } catch (cause) {
        return new Undecodable(cause);
      }
    };
    return [name, { ...method, requestDeserialize }] as const;
  });
  return Object.fromEntries(guarded);
}

/** Async functions and generators in the form grpc-js calls. Throws when a method has no handler. */
export function adaptHandlers(
  service: RpcService,
  handlers: Readonly<Record<string, unknown>>,
  kit: HandlerKit,
): UntypedServiceImplementation {
  const entries = Object.entries(service).map(([name, method]) => {
    const handler = handlers[name];
    if (typeof handler !== "function") {
      throw new StagecraftError("unimplemented", `no handler for ${method.path}`);
    }
    return [name, adapt(method, handler.bind(handlers) as AnyHandler, kit)] as const;
  });
  return Object.fromEntries(entries);
}

function adapt(method: AnyMethod, handler: AnyHandler, kit: HandlerKit) {
  // grpc-js accepts exactly one of the four signatures per method; this is all four by turns.
  return (call: IncomingCall, respond?: sendUnaryData<unknown>): void => {
    const held = kit.admission.hold(call.metadata);
    const scope = openScope(method.path, call, { logger: kit.logger, caller: held.caller });
    const input = method.requestStream
      ? readRequests(call as ServerReadableStream<unknown, unknown>, scope)
      : (call as ServerUnaryCall<unknown, unknown>).request;
    const parent = contextFromHeaders({
      traceparent: textOf(call.metadata, "traceparent"),
      tracestate: textOf(call.metadata, "tracestate"),
    });
    void withSpan(method.path.slice(1), { kind: "server", parent }, async ({ context }) => {
      scope.trace = context;
      const request = decoded(input);
      auditAsked(kit.audit, scope, request);
      const output = handler(request, scope);
      if (method.responseStream) {
        await writeResponses(call as ServerWritableStream<unknown, unknown>, output, scope);
      } else {
        const response = await output;
        scope.finish();
        respond?.(null, response);
      }
    })
      .then(() => "OK")
      .catch((error: unknown) => fail(call, respond, scope, error))
      .then((code) => auditDone(kit, scope, code))
      .finally(() => held.release());
  };
}

function decoded(input: unknown): unknown {
  if (!(input instanceof Undecodable)) return input;
  throw new StagecraftError("invalid_argument", "the request does not decode as its message type", {
    cause: input.cause,
  });
}

async function* readRequests(call: ServerReadableStream<unknown, unknown>, scope: Scope) {
  try {
    // Not destroyed when read to the end: on a bidirectional call that would end the answers too.
    for await (const request of call.iterator({ destroyOnReturn: false })) yield decoded(request);
  } catch (error) {
    // A cancelled call destroys its stream; say why instead of ERR_STREAM_PREMATURE_CLOSE.
    throw scope.cancellation.reason ?? error;
  }
}

async function writeResponses(
  call: ServerWritableStream<unknown, unknown>,
  output: unknown,
  scope: Scope,
): Promise<void> {
  for await (const response of output as AsyncIterable<unknown>) {
    scope.cancellation.throwIfCancelled();
    if (!call.write(response)) await once(call, "drain", { signal: scope.signal });
  }
  scope.cancellation.throwIfCancelled();
  scope.finish();
  call.end();
}

function fail(
  call: IncomingCall,
  respond: sendUnaryData<unknown> | undefined,
  scope: Scope,
  thrown: unknown,
): string {
  if (scope.cancellation.reason) return "CANCELLED"; // the client is gone: nobody reads a status
  scope.finish();
  const status = statusFromError(thrown, scope.callId);
  const expected = thrown instanceof StagecraftError && thrown.code !== "internal";
  const line = `${statusName(status.code)}: ${status.details}`;
  if (expected) scope.logger.info({ err: thrown }, line);
  else scope.logger.error({ err: thrown }, line);
  if (respond) respond(status);
  else call.emit("error", status);
  return statusName(status.code);
}

/** Written before anything happens: a call that cannot be audited is refused. */
function auditAsked(audit: AuditLog, scope: Scope, request: unknown): void {
  const { audit: describe } = accessOf(scope.method);
  if (!describe) return;
  const facts = describe(request as Record<string, unknown>);
  audit.write({ event: "asked", ...auditIds(scope), request: facts });
  scope.isAudited = true;
}

function auditDone({ audit, logger }: HandlerKit, scope: Scope, code: string): void {
  if (!scope.isAudited) return;
  try {
    audit.write({ event: "done", ...auditIds(scope), code });
  } catch (error) {
    logger.error({ err: error, ...auditIds(scope) }, "the end of an audited call is not written");
  }
}

function auditIds({ method, caller, peer, callId }: Scope) {
  return { method, caller: caller.name, peer, callId };
}

interface Scope extends CallContext {
  trace: CallContext["trace"];
  readonly callId: string;
  isAudited: boolean;
  /** No cancellation after this. */
  finish(): void;
}

const PROCESS_ID = randomBytes(4).toString("hex");
let numCalls = 0;

function openScope(
  method: string,
  call: IncomingCall,
  { logger, caller }: { logger: Logger; caller: Caller },
): Scope {
  const cancelling = createCancelling();
  const deadline = Number(call.getDeadline());
  const callId = `${PROCESS_ID}-${++numCalls}`;
  // Asked at once: the socket may be gone when the handler looks.
  const peer = call.getPeer();
  const subject = call.getAuthContext().sslPeerCertificate?.subject;
  let finished = false;
  let bound: Logger | undefined;
  // grpc-js emits this after every call, finished ones too.
  (call as EventEmitter).on("cancelled", () => {
    if (!finished) cancelling.cancel(cancellation(method, deadline));
  });
  return {
    cancellation: cancelling,
    get signal() {
      return cancelling.signal;
    },
    deadline,
    method,
    callId,
    peer,
    identity: commonNameOf(subject?.CN),
    caller,
    isAudited: false,
    metadata: (name) => textOf(call.metadata, name),
    get logger() {
      return (bound ??= logger.child({ method, callId, ...idsOf(call.metadata) }));
    },
    trace: contextFromHeaders({}),
    finish: () => (finished = true),
  };
}

function cancellation(method: string, deadline: number): StagecraftError {
  return Date.now() >= deadline
    ? new StagecraftError("deadline_exceeded", `${method}: the caller's deadline passed`)
    : new StagecraftError("cancelled", `${method}: the caller cancelled or went away`);
}

function textOf(metadata: Metadata, name: string): string | undefined {
  return metadata.get(name)[0]?.toString();
}

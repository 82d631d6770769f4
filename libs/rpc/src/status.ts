import { Metadata, status as Status, type ServiceError } from "@grpc/grpc-js";
import { StagecraftError, type ErrorCode } from "@stagecraft/core";

/** Metadata entry that carries a StagecraftError's details as JSON; also marks the status as ours. */
export const DETAILS_KEY = "stagecraft-details-bin";

/** Headers share one small budget (16 KiB by default), so long texts are cut. */
const MAX_MESSAGE_LENGTH = 2048;
const MAX_DETAILS_BYTES = 4096;

const STATUS_OF: Readonly<Record<ErrorCode, Status>> = {
  cancelled: Status.CANCELLED,
  invalid_argument: Status.INVALID_ARGUMENT,
  deadline_exceeded: Status.DEADLINE_EXCEEDED,
  not_found: Status.NOT_FOUND,
  already_exists: Status.ALREADY_EXISTS,
  permission_denied: Status.PERMISSION_DENIED,
  resource_exhausted: Status.RESOURCE_EXHAUSTED,
  failed_precondition: Status.FAILED_PRECONDITION,
  aborted: Status.ABORTED,
  unimplemented: Status.UNIMPLEMENTED,
  internal: Status.INTERNAL,
  unavailable: Status.UNAVAILABLE,
  data_loss: Status.DATA_LOSS,
  unauthenticated: Status.UNAUTHENTICATED,
};

const CODE_OF = new Map<Status, ErrorCode>([
  ...(Object.entries(STATUS_OF) as [ErrorCode, Status][]).map(
    ([code, status]): [Status, ErrorCode] => [status, code],
  ),
  [Status.UNKNOWN, "internal"],
  [Status.OUT_OF_RANGE, "invalid_argument"],
]);

/** A status in the form grpc-js sends. */
export interface RpcStatus {
  code: Status;
  details: string;
  metadata: Metadata;
}

/**
 * The status for anything a handler threw. A StagecraftError keeps its code, reason and details; its
 * cause stays here. Any other throw is a bug whose text may hold secrets: INTERNAL, naming `callId`
 * so that the log line can be found.
 */
export function statusFromError(thrown: unknown, callId: string): RpcStatus {
  const metadata = new Metadata();
  if (!(thrown instanceof StagecraftError)) {
    metadata.set(DETAILS_KEY, encodeDetails({ callId }));
    const details = `unexpected failure; the server's log has it under call ${callId}`;
    return { code: Status.INTERNAL, details, metadata };
  }
  metadata.set(DETAILS_KEY, encodeDetails(thrown.details));
  return { code: STATUS_OF[thrown.code], details: sendable(thrown.reason), metadata };
}

/**
 * The error for a failed call. Odd statuses: CANCELLED that neither we nor the handler asked for is a
 * connection that ended under the call (grpc-js reports a reset stream so), hence `unavailable`.
 */
export function errorFromStatus(error: ServiceError, method: string, weCancelled: boolean) {
  const sent = error.metadata?.get(DETAILS_KEY)[0];
  const lost = error.code === Status.CANCELLED && !weCancelled && sent === undefined;
  const code = lost ? "unavailable" : (CODE_OF.get(error.code) ?? "internal");
  const reason = error.details || "no reason given";
  // A status of ours already explains itself; one made by the transport needs to say where it struck.
  const text = sent === undefined ? `${method}: ${reason}` : reason;
  return new StagecraftError(code, text, { cause: error, details: decodeDetails(sent) });
}

/** The numeric name of a code, e.g. `INVALID_ARGUMENT`, for logs and metrics. */
export function statusName(code: Status): string {
  return Status[code] ?? `STATUS_${code}`;
}

function encodeDetails(details: Readonly<Record<string, unknown>>): Buffer {
  try {
    const bytes = Buffer.from(JSON.stringify(details) ?? "{}");
    if (bytes.length <= MAX_DETAILS_BYTES) return bytes;
  } catch {
    // Cyclic or bigint: details are a convenience, the status must still go out.
  }
  return Buffer.from("{}");
}

function decodeDetails(sent: string | Buffer | undefined): Record<string, unknown> {
  if (sent === undefined) return {};
  try {
    const parsed: unknown = JSON.parse(sent.toString());
    if (typeof parsed === "object" && parsed !== null && !Array.isArray(parsed)) {
      return parsed as Record<string, unknown>;
    }
  } catch {
    // Another implementation may use the name for something else.
  }
  return {};
}

/** grpc-js passes the text through encodeURI, which throws on a lone surrogate. */
function sendable(reason: string): string {
  const text = Buffer.from(reason.slice(0, MAX_MESSAGE_LENGTH)).toString();
  return reason.length > MAX_MESSAGE_LENGTH ? `${text}…` : text;
}

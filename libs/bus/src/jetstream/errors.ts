import { NatsError } from "nats";
import { StagecraftError, type ErrorCode } from "@stagecraft/core";

const CODES: Readonly<Record<string, ErrorCode>> = {
  TIMEOUT: "unavailable",
  "503": "unavailable",
  CONNECTION_CLOSED: "unavailable",
  CONNECTION_DRAINING: "unavailable",
  DISCONNECT: "unavailable",
  CONNECTION_REFUSED: "unavailable",
  MAX_PAYLOAD_EXCEEDED: "invalid_argument",
  BAD_SUBJECT: "invalid_argument",
  PERMISSIONS_VIOLATION: "permission_denied",
  AUTHORIZATION_VIOLATION: "unauthenticated",
};

/** JetStream API error numbers (server/errors.json of nats-server). */
const API = {
  insufficientResources: 10023,
  storageExceeded: 10047,
  wrongLastSequence: 10071,
  storeFailed: 10077,
  rollupNotPermitted: 10111,
} as const;

/** A client or JetStream API error as one of ours; `what` says what was attempted. */
export function fromNats(thrown: unknown, what: string): StagecraftError {
  if (!(thrown instanceof NatsError)) return StagecraftError.from(thrown);
  return new StagecraftError(codeOf(thrown), `${what}: ${thrown.message || thrown.code}`, {
    cause: thrown,
  });
}

export function isNotFound(thrown: unknown): boolean {
  return thrown instanceof NatsError && thrown.api_error?.code === 404;
}

function codeOf(error: NatsError): ErrorCode {
  const api = error.api_error;
  if (!api) return CODES[error.code] ?? "internal";
  if (api.err_code === API.wrongLastSequence) return "aborted";
  if (api.err_code === API.rollupNotPermitted) return "failed_precondition";
  const full: readonly number[] = [
    API.insufficientResources,
    API.storageExceeded,
    API.storeFailed, // "maximum bytes exceeded" under discard new, or a disk error
  ];
  if (full.includes(api.err_code ?? 0)) return "resource_exhausted";
  if (api.code === 404) return "not_found";
  if (api.code === 503) return "unavailable";
  return api.code === 400 ? "failed_precondition" : "internal";
}

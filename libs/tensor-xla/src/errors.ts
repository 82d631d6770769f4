import { type ErrorCode, StagecraftError } from "@stagecraft/core";

/** By PJRT_Error_Code, which are absl's and gRPC's numbers. */
const CODES: readonly ErrorCode[] = [
  "internal",
  "cancelled",
  "internal",
  "invalid_argument",
  "deadline_exceeded",
  "not_found",
  "already_exists",
  "permission_denied",
  "resource_exhausted",
  "failed_precondition",
  "aborted",
  "invalid_argument",
  "unimplemented",
  "internal",
  "unavailable",
  "data_loss",
  "unauthenticated",
];

/** What the addon or the plugin threw, with what was being done: "cannot compile: …". */
export function toPjrtError(thrown: unknown, doing: string): StagecraftError {
  if (thrown instanceof StagecraftError) return thrown;
  const { code = "", message } = thrown as NodeJS.ErrnoException;
  const number = /^ERR_PJRT_(\d+)$/.exec(code)?.[1];
  const known = code === "ERR_DELETED" || code === "ERR_CLOSED" ? "failed_precondition" : undefined;
  const kind = number === undefined ? known : CODES[Number(number)];
  const details = kind === "resource_exhausted" ? { resource: "memory" } : {};
  return new StagecraftError(kind ?? "internal", `${doing}: ${message}`, {
    cause: thrown,
    details,
  });
}

/** Runs `work`; what it throws comes out as a StagecraftError. */
export function guarded<T>(doing: string, work: () => T): T {
  try {
    return work();
  } catch (error) {
    throw toPjrtError(error, doing);
  }
}

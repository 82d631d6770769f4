import type { JsonObject } from "./json.js";

/** The canonical failure kinds, spelled like gRPC's status names so that one table maps both ways. */
export const ERROR_CODES = [
  "cancelled",
  "invalid_argument",
  "deadline_exceeded",
  "not_found",
  "already_exists",
  "permission_denied",
  "resource_exhausted",
  "failed_precondition",
  "aborted",
  "unimplemented",
  "internal",
  "unavailable",
  "data_loss",
  "unauthenticated",
] as const;

export type ErrorCode = (typeof ERROR_CODES)[number];

export interface StagecraftErrorOptions {
  cause?: unknown;
  /** Machine-readable facts: file, line, field, value. */
  details?: Readonly<Record<string, unknown>>;
}

/**
 * The one error class of the product. Its message starts with the code in brackets and says what is
 * wrong, where, and what to do. The cause is for logs and never leaves the process.
 */
export class StagecraftError extends Error {
  override readonly name = "StagecraftError";
  readonly code: ErrorCode;
  readonly details: Readonly<Record<string, unknown>>;
  /** The message without its code prefix. */
  readonly reason: string;

  constructor(code: ErrorCode, reason: string, options: StagecraftErrorOptions = {}) {
    super(
      `[${code}] ${reason}`,
      options.cause === undefined ? undefined : { cause: options.cause },
    );
    this.code = code;
    this.reason = reason;
    this.details = options.details ?? {};
  }

  /** Wraps anything thrown; for the edges of the system only. */
  static from(thrown: unknown, fallback: ErrorCode = "internal"): StagecraftError {
    if (thrown instanceof StagecraftError) return thrown;
    if (thrown instanceof Error) {
      const reason = describeFileError(thrown) ?? thrown.message;
      const details = isOutOfMemory(thrown) ? { resource: "memory" } : {};
      const code = codeOfNodeError(thrown) ?? fallback;
      return new StagecraftError(code, reason, { cause: thrown, details });
    }
    return new StagecraftError(fallback, String(thrown), { cause: thrown });
  }
}

/** An error as plain data, for files and messages: what a reader can act on, without cause and stack. */
export interface ErrorRecord {
  code: ErrorCode;
  /** Without its code. */
  message: string;
  /** Facts that can be written as JSON: field, file, line. */
  details?: JsonObject;
}

/** What is written down of an error. */
export function toErrorRecord(thrown: unknown): ErrorRecord {
  const { code, reason, details } = StagecraftError.from(thrown);
  const plain = JSON.parse(JSON.stringify(details)) as JsonObject;
  return { code, message: reason, ...(Object.keys(plain).length > 0 && { details: plain }) };
}

/** The error that was written down. */
export function fromErrorRecord({ code, message, details = {} }: ErrorRecord): StagecraftError {
  return new StagecraftError(code, message, { details });
}

const NODE_ERROR_CODES: Readonly<Record<string, ErrorCode>> = {
  ENOENT: "not_found",
  ENOTDIR: "invalid_argument",
  EISDIR: "invalid_argument",
  ENAMETOOLONG: "invalid_argument",
  EEXIST: "already_exists",
  EACCES: "permission_denied",
  EPERM: "permission_denied",
  EROFS: "permission_denied",
  ENOSPC: "resource_exhausted",
  EDQUOT: "resource_exhausted",
  EMFILE: "resource_exhausted",
  ECONNREFUSED: "unavailable",
  ECONNRESET: "unavailable",
  EADDRINUSE: "already_exists",
  ABORT_ERR: "cancelled",
};

/** What the file system refused, in words; undefined for errors that are about no path. */
function describeFileError(error: Error): string | undefined {
  const { code, path, syscall } = error as NodeJS.ErrnoException;
  if (code === "EISDIR") return `${path ?? "what was named"} is a directory; a file is needed here`;
  if (path === undefined || syscall === undefined) return undefined;
  switch (code) {
    case "ENOENT":
      return `there is no ${path}`;
    case "ENOTDIR":
      return syscall === "scandir"
        ? `${path} is a file; a directory is needed here`
        : `${path} cannot be: a part of this path is a file, no directory`;
    case "EEXIST":
      return syscall === "mkdir"
        ? `${path} is a file; a directory is needed here`
        : `${path} exists already`;
    case "EACCES":
    case "EPERM":
      return `no permission to use ${path} (${syscall})`;
    case "EROFS":
      return `${path} is on a file system that is read-only`;
    case "ENOSPC":
    case "EDQUOT":
      return `no space left on the disk of ${path}`;
    case "ENAMETOOLONG":
      return `the name is too long: ${path.slice(0, 80)}…`;
    default:
      return undefined;
  }
}

/** V8 gives its RangeError no code: the text is all that tells it apart. */
function isOutOfMemory(error: Error): boolean {
  const { code, message } = error as NodeJS.ErrnoException;
  return code === "ERR_STAGECRAFT_MEMORY" || message === "Array buffer allocation failed";
}

function codeOfNodeError(error: Error): ErrorCode | undefined {
  if (error.name === "AbortError") return "cancelled";
  if (isOutOfMemory(error)) return "resource_exhausted";
  const { code } = error as NodeJS.ErrnoException;
  return typeof code === "string" ? NODE_ERROR_CODES[code] : undefined;
}

/** True for errors that mean "somebody asked to stop", which are not failures. */
export function isCancelled(thrown: unknown): boolean {
  return thrown instanceof Error && StagecraftError.from(thrown).code === "cancelled";
}

/** Throws `[cancelled] …` when the signal has fired; the reason is the signal's own when it is ours. */
export function throwIfAborted(signal: AbortSignal | undefined): void {
  if (!signal?.aborted) return;
  if (signal.reason instanceof StagecraftError) throw signal.reason;
  throw new StagecraftError("cancelled", "stopped on request", { cause: signal.reason });
}

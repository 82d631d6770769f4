import { StagecraftError, type ErrorCode } from "@stagecraft/core";

/** An error as OpenAI's clients expect it. */
export interface ErrorBody {
  error: { message: string; type: string; param: string | null; code: string | null };
}

/** The error for a field of a request: which one, what is wrong, and OpenAI's code for it. */
export function refused(param: string | null, message: string, apiCode: string): StagecraftError {
  return new StagecraftError("invalid_argument", message, { details: { param, apiCode } });
}

const INVALID = "invalid_request_error";
const STATUS: Readonly<Record<ErrorCode, readonly [number, string, string]>> = {
  invalid_argument: [400, INVALID, "invalid_value"],
  failed_precondition: [400, INVALID, "failed_precondition"],
  already_exists: [409, INVALID, "already_exists"],
  aborted: [409, INVALID, "aborted"],
  unauthenticated: [401, INVALID, "invalid_api_key"],
  permission_denied: [403, INVALID, "permission_denied"],
  not_found: [404, INVALID, "not_found"],
  resource_exhausted: [429, "rate_limit_error", "rate_limit_exceeded"],
  cancelled: [499, "server_error", "cancelled"],
  deadline_exceeded: [504, "server_error", "timeout"],
  unavailable: [503, "server_error", "service_unavailable"],
  unimplemented: [501, "server_error", "unimplemented"],
  data_loss: [500, "server_error", "internal_error"],
  internal: [500, "server_error", "internal_error"],
};

/** Any failure as a status and a body; what went wrong inside stays inside. */
export function toErrorResponse(thrown: unknown): { status: number; body: ErrorBody } {
  const error = fromFramework(thrown) ?? StagecraftError.from(thrown);
  const [status, type, usualCode] = STATUS[error.code];
  const isInside = status === 500;
  const message = isInside ? "the server failed; its log says why" : error.reason;
  const { apiCode, status: own } = error.details;
  return {
    status: typeof own === "number" ? own : status,
    body: {
      error: {
        message,
        type,
        param: isInside ? null : paramOf(error),
        code: typeof apiCode === "string" ? apiCode : (contextCode(error) ?? usualCode),
      },
    },
  };
}

/** What the HTTP framework refuses before a handler sees it: bodies that are too long or no JSON. */
function fromFramework(thrown: unknown): StagecraftError | undefined {
  const { statusCode, code, message } = (thrown ?? {}) as {
    statusCode?: unknown;
    code?: unknown;
    message?: unknown;
  };
  if (thrown instanceof StagecraftError || typeof statusCode !== "number") return undefined;
  if (statusCode < 400 || statusCode >= 500) return undefined;
  const apiCode = FRAMEWORK_CODES[String(code)] ?? "invalid_body";
  return new StagecraftError("invalid_argument", `the request's body: ${String(message)}`, {
    details: { param: null, apiCode, status: statusCode },
  });
}

const FRAMEWORK_CODES: Readonly<Record<string, string>> = {
  FST_ERR_CTP_BODY_TOO_LARGE: "body_too_large",
  FST_ERR_CTP_INVALID_MEDIA_TYPE: "unsupported_media_type",
};

/** The services name fields of their own messages; callers know them by OpenAI's names. */
function paramOf({ details }: StagecraftError): string | null {
  const { param, field } = details;
  if (typeof param === "string") return param;
  if (typeof field !== "string") return null;
  const name = field.replace(/^input\.?/, "").replace(/^(sampling|conversation|tokens)\./, "");
  return name === "" ? null : (NAMES[name] ?? name);
}

const NAMES: Readonly<Record<string, string>> = {
  max_new_tokens: "max_tokens",
  num_top_log_probs: "top_logprobs",
};

function contextCode({ details }: StagecraftError): string | undefined {
  const isTooLong = details["maxPositions"] !== undefined || details["maxBytes"] !== undefined;
  return isTooLong ? "context_length_exceeded" : undefined;
}

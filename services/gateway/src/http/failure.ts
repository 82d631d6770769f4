import { StagecraftError, type ErrorCode } from "@stagecraft/core";
import { z } from "zod";
import type { ApiFailure } from "./api/index.js";

/** The HTTP status of each kind of failure. */
export const STATUS: Readonly<Record<ErrorCode, number>> = {
  cancelled: 499,
  invalid_argument: 400,
  deadline_exceeded: 504,
  not_found: 404,
  already_exists: 409,
  permission_denied: 403,
  resource_exhausted: 429,
  failed_precondition: 409,
  aborted: 409,
  unimplemented: 501,
  internal: 500,
  unavailable: 503,
  data_loss: 500,
  unauthenticated: 401,
};

/** Anything thrown, as an error of ours: zod's and fastify's own included. */
export function errorOf(thrown: unknown): StagecraftError {
  if (thrown instanceof StagecraftError) return thrown;
  if (thrown instanceof z.ZodError) return ofZod(thrown);
  const { statusCode, message = "" } = thrown as { statusCode?: number; message?: string };
  if (statusCode === 413) {
    return new StagecraftError("resource_exhausted", "that is too long to be taken", {
      cause: thrown,
      details: { advice: "shorten it", status: 413 },
    });
  }
  if (statusCode !== undefined && statusCode >= 400 && statusCode < 500) {
    const details = { status: statusCode };
    return new StagecraftError("invalid_argument", message, { cause: thrown, details });
  }
  return StagecraftError.from(thrown);
}

function ofZod(error: z.ZodError): StagecraftError {
  const [issue] = error.issues;
  const path = issue?.path ?? [];
  const field = path.map((part) => (typeof part === "number" ? `[${part}]` : `.${String(part)}`));
  const name = field.join("").replace(/^\./, "");
  return new StagecraftError("invalid_argument", `${name || "the request"}: ${issue?.message}`, {
    cause: error,
    details: { field: name },
  });
}

/** What the page gets: of failures that are ours alone it learns no more than that there was one. */
export function failureOf(error: StagecraftError): { status: number; body: ApiFailure } {
  const { code, details } = error;
  const isOurs = code === "internal" || code === "data_loss";
  const text = (name: string) => (typeof details[name] === "string" ? details[name] : "");
  const field = text("field");
  return {
    status: typeof details["status"] === "number" ? details["status"] : STATUS[code],
    body: {
      error: {
        code,
        message: isOurs ? "something failed here; it is in the gateway's log" : error.reason,
        advice: text("advice") || (isOurs ? "try again; then ask the operator" : ""),
        ...(field && { field }),
      },
    },
  };
}

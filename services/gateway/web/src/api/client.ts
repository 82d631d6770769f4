import type { ApiErrorCode, ApiFailure } from "../../../src/http/api/index.js";

/** Why a request failed, for people: what is wrong (`message`) and what to do (`advice`). */
export class ApiError extends Error {
  override readonly name = "ApiError";

  constructor(
    readonly code: ApiErrorCode,
    message: string,
    readonly advice: string,
    readonly field?: string,
  ) {
    super(message);
  }

  /** Anything thrown, so that a page can show it. */
  static from(thrown: unknown): ApiError {
    if (thrown instanceof ApiError) return thrown;
    const message = thrown instanceof Error ? thrown.message : String(thrown);
    return new ApiError("internal", message, "Load the page again.");
  }
}

export type Method = "GET" | "POST" | "PUT" | "PATCH" | "DELETE";

let csrfToken = "";
let onSignedOut = () => {};

/** The token that every changing request carries from now on. */
export function setCsrfToken(token: string): void {
  csrfToken = token;
}

/** Called whenever the server says that nobody is signed in. */
export function whenSignedOut(listener: () => void): void {
  onSignedOut = listener;
}

/**
 * Asks the JSON API. Throws ApiError; one of code `unavailable` when nothing answers, so that the caller
 * may try again with the same `submissionId`.
 */
export async function request<T>(method: Method, path: string, body?: unknown): Promise<T> {
  const response = await send(method, path, body);
  const text = await response.text();
  if (text === "") return undefined as T;
  return parse(text) as T;
}

/** Sends a request and checks its status; for streams, whose body the caller reads. */
export async function send(
  method: Method,
  path: string,
  body?: unknown,
  signal?: AbortSignal,
): Promise<Response> {
  let response: Response;
  try {
    response = await fetch(`/api/${path}`, {
      method,
      credentials: "same-origin",
      headers: {
        ...(body === undefined ? {} : { "content-type": "application/json" }),
        ...(method === "GET" ? {} : { "x-csrf-token": csrfToken }),
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      ...(signal ? { signal } : {}),
    });
  } catch {
    if (signal?.aborted) throw new ApiError("cancelled", "Stopped.", "");
    throw new ApiError(
      "unavailable",
      "The server does not answer.",
      "Check the connection and that the server still runs, then try again. Nothing that you wrote here is lost.",
    );
  }
  if (!response.ok) throw await failureOf(response);
  return response;
}

async function failureOf(response: Response): Promise<ApiError> {
  const failure = parse(await response.text()) as Partial<ApiFailure> | undefined;
  if (response.status === 401) onSignedOut();
  if (failure?.error) {
    const { code, message, advice, field } = failure.error;
    return new ApiError(code, message, advice, field);
  }
  return new ApiError("internal", `The server answered ${response.status}.`, "Try again later.");
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return undefined;
  }
}

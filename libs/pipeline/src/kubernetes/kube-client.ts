import { request as httpRequest, type IncomingMessage } from "node:http";
import { request as httpsRequest } from "node:https";
import { StagecraftError, throwIfAborted, type ErrorCode } from "@stagecraft/core";
import type { KubeAccess, KubeIdentity } from "./kube-config.js";

/** Calls of an API server, JSON both ways. */
export interface KubeClient {
  /** Undefined for 404. Throws what the server says. */
  get<T>(path: string, signal?: AbortSignal): Promise<T | undefined>;
  send<T>(method: "POST" | "PUT" | "DELETE", path: string, body: unknown): Promise<T>;
  /** The lines of an answer as they come. */
  lines(path: string, signal: AbortSignal): AsyncIterable<string>;
}

/** Waiting for an answer's beginning; logs that are followed may be silent longer. */
const ANSWER_MS = 30_000;

/** Plain HTTP only to loopback, such as `kubectl proxy`: a token would go in the clear. */
export function createKubeClient(access: KubeAccess): KubeClient {
  const { server, ca, renew } = access;
  let identity: KubeIdentity = access;
  let renewing: Promise<KubeIdentity> | undefined;
  const base = new URL(server);
  const isLoopback = ["127.0.0.1", "localhost", "[::1]"].includes(base.hostname);
  if (base.protocol !== "https:" && !isLoopback) {
    throw new StagecraftError(
      "failed_precondition",
      `${server} has no TLS, and is not on this machine`,
    );
  }
  const openOnce = (method: string, path: string, body: unknown, signal?: AbortSignal) =>
    new Promise<IncomingMessage>((done, fail) => {
      const { cert, key, token } = identity;
      const text = body === undefined ? undefined : JSON.stringify(body);
      const start = base.protocol === "https:" ? httpsRequest : httpRequest;
      const request = start(new URL(`${server.replace(/\/$/, "")}${path}`), {
        ...{ method, ca, cert, key },
        ...(signal && { signal }),
        headers: {
          accept: "application/json",
          ...(token && { authorization: `Bearer ${token}` }),
          // Node frames no body of a DELETE by itself.
          ...(text !== undefined && {
            "content-type": "application/json",
            "content-length": String(Buffer.byteLength(text)),
          }),
        },
      });
      const late = setTimeout(() => request.destroy(new Error("no answer")), ANSWER_MS);
      request.on("response", (response) => {
        clearTimeout(late);
        done(response);
      });
      request.on("error", (error) => {
        clearTimeout(late);
        fail(error);
      });
      request.end(text);
    }).catch((thrown: unknown) => {
      throwIfAborted(signal);
      throw new StagecraftError("unavailable", `${server} does not answer: ${String(thrown)}`, {
        cause: thrown,
      });
    });
  /** Tokens of clouds live for minutes: one that the server does not take any more is asked for anew, once. */
  const open: typeof openOnce = async (...request) => {
    const used = identity;
    const response = await openOnce(...request);
    if (response.statusCode !== 401 || !renew) return response;
    response.resume();
    // Calls that are refused at the same time wait for the same answer.
    if (identity === used) {
      renewing ??= renew().finally(() => (renewing = undefined));
      identity = await renewing;
    }
    return openOnce(...request);
  };
  const call = async <T>(method: string, path: string, body?: unknown, signal?: AbortSignal) => {
    const response = await open(method, path, body, signal);
    const answer = await textOf(response);
    if ((response.statusCode ?? 500) < 300) return JSON.parse(answer) as T;
    throw refused(`${method} ${path.split("?")[0]}`, response.statusCode ?? 500, answer);
  };
  return {
    get: <T>(path: string, signal?: AbortSignal) =>
      call<T>("GET", path, undefined, signal).catch((thrown: unknown) => {
        if (StagecraftError.from(thrown).code === "not_found") return undefined;
        throw thrown;
      }),
    send: (method, path, body) => call(method, path, body),
    async *lines(path, signal) {
      const response = await open("GET", path, undefined, signal);
      if ((response.statusCode ?? 500) >= 300) {
        throw refused(
          `GET ${path.split("?")[0]}`,
          response.statusCode ?? 500,
          await textOf(response),
        );
      }
      yield* linesOf(response);
    },
  };
}

async function textOf(response: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of response) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks).toString("utf8");
}

async function* linesOf(response: IncomingMessage): AsyncGenerator<string> {
  response.setEncoding("utf8");
  let held = "";
  for await (const chunk of response) {
    const lines = (held + String(chunk)).split("\n");
    held = lines.pop()!;
    yield* lines;
  }
  if (held !== "") yield held;
}

const CODES: Readonly<Record<number, ErrorCode>> = {
  ...{ 400: "invalid_argument", 401: "unauthenticated", 403: "permission_denied" },
  ...{ 404: "not_found", 409: "already_exists", 422: "invalid_argument", 429: "unavailable" },
};

function refused(what: string, status: number, answer: string): StagecraftError {
  let says = answer.slice(0, 300);
  try {
    says = (JSON.parse(answer) as { message?: string }).message ?? says;
  } catch {
    // Not every proxy in between answers in JSON.
  }
  const code = CODES[status] ?? (status >= 500 ? "unavailable" : "failed_precondition");
  return new StagecraftError(code, `the cluster refuses ${what} (${status}): ${says}`, {
    details: { status },
  });
}

import { setTimeout as delay } from "node:timers/promises";
import { StagecraftError, throwIfAborted, type ErrorCode } from "@stagecraft/core";
import { encodeKey, sha256Hex, signRequest, type S3Credentials } from "./sigv4.js";
import { tagText } from "./xml.js";

export interface S3Options {
  /** Such as `https://s3.eu-central-1.amazonaws.com` or `http://127.0.0.1:9000`. */
  endpoint: string;
  region: string;
  bucket: string;
  credentials: S3Credentials;
  now?: () => Date;
}

export interface S3Call {
  method: "GET" | "PUT" | "POST" | "HEAD" | "DELETE";
  /** Empty: the bucket itself. */
  key: string;
  query?: Readonly<Record<string, string>>;
  headers?: Readonly<Record<string, string>>;
  body?: Uint8Array;
  signal?: AbortSignal | undefined;
}

/** Signed calls of one bucket. Repeats what may pass; throws what the store says otherwise. */
export interface S3Client {
  readonly name: string;
  call(call: S3Call): Promise<Response>;
}

const MAX_ATTEMPTS = 5;

/** The bucket stands in the path, which every compatible store understands. */
export function createS3Client(options: S3Options): S3Client {
  const { endpoint, bucket } = options;
  const name = `s3://${bucket}`;
  const once = async ({ method, key, query = {}, headers = {}, body, signal }: S3Call) => {
    const url = new URL(`${endpoint.replace(/\/$/, "")}/${bucket}${key && `/${encodeKey(key)}`}`);
    for (const [field, value] of Object.entries(query)) url.searchParams.set(field, value);
    // As signed: URLSearchParams writes a space as +.
    url.search = url.search.replaceAll("+", "%20");
    const payloadSha256 = sha256Hex(body ?? "");
    const scope = { ...options, now: (options.now ?? (() => new Date()))() };
    const signed = signRequest({ method, url, headers, payloadSha256 }, scope);
    const init: RequestInit = { method, headers: signed, redirect: "error" };
    if (body) init.body = body as Uint8Array<ArrayBuffer>;
    if (signal) init.signal = signal;
    return fetch(url, init);
  };
  return {
    name,
    async call(call) {
      for (let attempt = 1; ; attempt++) {
        throwIfAborted(call.signal);
        const answer = await once(call).catch((thrown: unknown) => {
          throwIfAborted(call.signal);
          return unreachable(endpoint, thrown);
        });
        if (answer instanceof Response && answer.ok) return answer;
        const error = answer instanceof Response ? await refused(name, call, answer) : answer;
        if (error.code !== "unavailable" || attempt === MAX_ATTEMPTS) throw error;
        await delay(100 * 2 ** attempt);
      }
    },
  };
}

function unreachable(endpoint: string, cause: unknown): StagecraftError {
  const inner = (cause as { cause?: { code?: string; message?: string } }).cause;
  const why = inner?.code ?? inner?.message ?? String(cause);
  return new StagecraftError(
    "unavailable",
    `${endpoint} does not answer (${why}); look at s3Endpoint`,
    {
      cause,
    },
  );
}

async function refused(name: string, call: S3Call, answer: Response): Promise<StagecraftError> {
  const { status } = answer;
  const text = await answer.text().catch(() => "");
  const says = [tagText(text, "Code"), tagText(text, "Message")].filter(Boolean).join(": ");
  const what = `${call.method} ${name}/${call.key}`;
  const details = { status, key: call.key };
  const reason = `${what}: ${status}${says && ` ${says.slice(0, 300)}`}${ADVICE[status] ?? ""}`;
  return new StagecraftError(codeOf(status), reason, { details });
}

const ADVICE: Readonly<Record<number, string>> = {
  301: "; the bucket is elsewhere: set s3Region and s3Endpoint",
  400: "; look at s3Region",
  401: "; look at s3AccessKeyId and s3SecretAccessKey",
  403: "; look at s3AccessKeyId and s3SecretAccessKey, and at what this key may do with the bucket",
};

function codeOf(status: number): ErrorCode {
  if (status === 404) return "not_found";
  if (status === 401) return "unauthenticated";
  if (status === 403) return "permission_denied";
  if (status === 501) return "unimplemented";
  if (status === 507) return "resource_exhausted";
  return status === 408 || status === 429 || status >= 500 ? "unavailable" : "failed_precondition";
}

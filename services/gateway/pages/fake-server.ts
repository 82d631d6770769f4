import { readFile } from "node:fs/promises";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { extname, join, normalize } from "node:path";
import type { ApiFailure } from "../src/http/api/index.js";

/** What a route of the fake answers: a body, or its own handling of the response. */
export type FakeRoute = (request: FakeRequest) => unknown;

export interface FakeRequest {
  body: unknown;
  /** What `:name` in the path stands for. */
  params: Record<string, string>;
  query: URLSearchParams;
  response: ServerResponse;
}

/** Thrown by a route: the failure is sent as the API sends it. */
export class FakeFailure extends Error {
  constructor(
    readonly status: number,
    readonly failure: ApiFailure["error"],
  ) {
    super(failure.message);
  }
}

const PAGES = join(import.meta.dirname, "..", "dist", "web");
const TYPES: Readonly<Record<string, string>> = {
  ".html": "text/html; charset=utf-8",
  ".js": "text/javascript; charset=utf-8",
  ".css": "text/css; charset=utf-8",
  ".svg": "image/svg+xml",
};

/** The policy that the gateway sends with its pages. */
const CSP =
  "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'";

/**
 * Sends the built pages and answers `METHOD /path/:param` as `routes` says: the pages' tests run against
 * the API's types without a database. Loopback, a port of its own.
 */
export async function startFakeServer(routes: Readonly<Record<string, FakeRoute>>) {
  const server = createServer((request, response) => {
    void handle(routes, request, response).catch((error: unknown) => {
      sendJson(response, 500, { error: { code: "internal", message: String(error), advice: "" } });
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const close = () => {
    server.closeAllConnections();
    return new Promise<void>((resolve) => server.close(() => resolve()));
  };
  return { url, close, [Symbol.asyncDispose]: close };
}

async function handle(
  routes: Readonly<Record<string, FakeRoute>>,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const { pathname, searchParams: query } = new URL(request.url ?? "/", "http://fake");
  if (!pathname.startsWith("/api/")) return sendFile(pathname, response);
  const body = await readJson(request);
  const all: typeof routes = { "GET /sign-in": () => ({ provider: null }), ...routes };
  for (const [pattern, route] of Object.entries(all)) {
    const [method, path] = pattern.split(" ");
    const params = method === request.method && match(path!, pathname.slice("/api".length));
    if (!params) continue;
    try {
      const answer = await route({ body, params, query, response });
      if (!response.headersSent) sendJson(response, 200, answer);
    } catch (error) {
      if (!(error instanceof FakeFailure)) throw error;
      sendJson(response, error.status, { error: error.failure });
    }
    return;
  }
  const message = `The fake has no ${request.method} ${pathname}`;
  sendJson(response, 404, { error: { code: "not_found", message, advice: "" } });
}

function match(pattern: string, path: string): Record<string, string> | undefined {
  const [wanted, given] = [pattern.split("/"), path.split("/")];
  if (wanted.length !== given.length) return undefined;
  const params: Record<string, string> = {};
  for (const [i, part] of wanted.entries()) {
    if (part.startsWith(":")) params[part.slice(1)] = decodeURIComponent(given[i]!);
    else if (part !== given[i]) return undefined;
  }
  return params;
}

async function readJson(request: IncomingMessage): Promise<unknown> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  const text = Buffer.concat(chunks).toString("utf8");
  return text === "" ? undefined : JSON.parse(text);
}

function sendJson(response: ServerResponse, status: number, body: unknown): void {
  response.writeHead(status, { "content-type": "application/json" });
  response.end(JSON.stringify(body ?? {}));
}

async function sendFile(pathname: string, response: ServerResponse): Promise<void> {
  const isFile = pathname.startsWith("/assets/") || pathname === "/icon.svg";
  const file = join(PAGES, normalize(isFile ? pathname : "/index.html"));
  response.writeHead(200, {
    "content-type": TYPES[extname(file)] ?? "application/octet-stream",
    "content-security-policy": CSP,
    "x-content-type-options": "nosniff",
  });
  response.end(await readFile(file));
}

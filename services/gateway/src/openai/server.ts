import fastify, { type FastifyReply } from "fastify";
import { StagecraftError } from "@stagecraft/core";
import { closeGracefully } from "../http/graceful-close.js";
import { refused, toErrorResponse } from "./errors.js";
import { openAiApi, type OpenAiOptions } from "./plugin.js";

export interface OpenAiServerOptions extends Omit<OpenAiOptions, "signal"> {
  /** Default loopback. */
  host?: string;
  /** 0 = any free one. */
  port: number;
  /** Time for what is being answered when it closes, ms; then it is given up. Default 20 s. */
  graceMs?: number;
}

/** A server with OpenAI's API and nothing else. */
export interface OpenAiServer extends AsyncDisposable {
  /** Without a path: `http://127.0.0.1:8080`. */
  readonly url: string;
  /** Takes no more requests, finishes what is being answered, and ends. */
  close(): Promise<void>;
}

/** Longer than the usual pools of clients keep an idle connection. */
const KEEP_ALIVE_MS = 75_000;
/** A request that does not arrive within this is given up. */
const RECEIVE_MS = 60_000;

/** Starts serving; `GET /health` answers without a key. */
export async function startOpenAiServer(options: OpenAiServerOptions): Promise<OpenAiServer> {
  const { host = "127.0.0.1", port, graceMs = 20_000, ...rest } = options;
  const app = fastify({
    keepAliveTimeout: KEEP_ALIVE_MS,
    requestTimeout: RECEIVE_MS,
    forceCloseConnections: "idle",
    routerOptions: { maxParamLength: 1024 },
    clientErrorHandler: (_, socket) => {
      if (socket.destroyed || !socket.writable) return;
      const { body } = toErrorResponse(refused(null, "this is no HTTP request", "invalid_request"));
      const text = JSON.stringify(body);
      const head = `HTTP/1.1 400 Bad Request\r\ncontent-type: application/json\r\nconnection: close`;
      socket.end(`${head}\r\ncontent-length: ${Buffer.byteLength(text)}\r\n\r\n${text}`);
    },
    // What the parser of HTTP refuses never reaches a route.
    frameworkErrors: (error, _, reply: FastifyReply) => {
      const { status, body } = toErrorResponse(error);
      void reply.code(status).send(body);
    },
  });
  // Of requests that meet no route: those of a route are the plugin's.
  app.setErrorHandler((error, _, reply) => {
    const { status, body } = toErrorResponse(error);
    return reply.code(status).send(body);
  });
  app.get("/health", () => ({ status: "ok" }));
  app.setNotFoundHandler((request, reply) => {
    const what = `${request.method} ${request.url.split("?")[0]!.slice(0, 200)}`;
    const details = { apiCode: "unknown_url" };
    const error = new StagecraftError("not_found", `there is no ${what} here`, { details });
    void reply.code(404).send(toErrorResponse(error).body);
  });
  const { signal, close } = closeGracefully(app);
  await app.register(openAiApi, { ...rest, signal });
  const url = (await app.listen({ host, port }))
    .replace("[::]", "[::1]")
    .replace("//0.0.0.0", "//127.0.0.1");
  return {
    url,
    close: () => close(graceMs),
    [Symbol.asyncDispose]: () => close(graceMs),
  };
}

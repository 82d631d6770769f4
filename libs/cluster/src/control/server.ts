import { chmod, rm } from "node:fs/promises";
import { createServer, type IncomingMessage, type Server } from "node:http";
import { StagecraftError } from "@stagecraft/core";
import { SCALABLE, type ScalableService } from "../options.js";
import type { StopOutcome } from "../supervised-process.js";
import type { ClusterStatus } from "../status/types.js";

/** What can be asked of a running cluster. */
export interface ControlHandlers {
  status(): ClusterStatus;
  scale(service: ScalableService, count: number): Promise<StopOutcome[]>;
  useRewardModel(dir: string): Promise<void>;
  stop(): Promise<StopOutcome[]>;
}

/** Serves until closed. */
export interface ControlServer {
  /** Answers what was asked before. */
  close(): Promise<void>;
}

const MAX_BODY_BYTES = 64 * 1024;

/**
 * HTTP with JSON on a unix socket that only this user may open: `GET /status`, `POST /scale`
 * `{service, count}`, `POST /reward-model` `{dir}`, `POST /stop`. A socket that a killed process left there is replaced; the caller
 * holds the folder's lock.
 */
export async function serveControl(
  socket: string,
  handlers: ControlHandlers,
): Promise<ControlServer> {
  await rm(socket, { force: true });
  const server = createServer({ keepAlive: false }, (request, response) => {
    void answer(request, handlers).then(({ status, body }) => {
      response.writeHead(status, { "content-type": "application/json" });
      response.end(`${JSON.stringify(body)}\n`);
    });
  });
  await listen(server, socket);
  await chmod(socket, 0o600);
  return {
    async close() {
      await new Promise((resolve) => server.close(resolve));
      await rm(socket, { force: true });
    },
  };
}

function listen(server: Server, socket: string): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once("error", reject);
    server.listen(socket, resolve);
  });
}

async function answer(request: IncomingMessage, handlers: ControlHandlers) {
  try {
    return { status: 200, body: await handle(request, handlers) };
  } catch (thrown) {
    const { code, reason } = StagecraftError.from(thrown);
    const status = code === "not_found" ? 404 : code === "invalid_argument" ? 400 : 500;
    return { status, body: { code, message: reason } };
  }
}

async function handle(request: IncomingMessage, handlers: ControlHandlers): Promise<unknown> {
  switch (`${request.method} ${request.url}`) {
    case "GET /status":
      return handlers.status();
    case "POST /scale": {
      const { service, count } = await readBody(request);
      return { ended: await handlers.scale(scalable(service), Number(count)) };
    }
    case "POST /reward-model": {
      const { dir } = await readBody(request);
      if (typeof dir !== "string" || dir === "") {
        throw new StagecraftError("invalid_argument", "dir must name a model directory");
      }
      await handlers.useRewardModel(dir);
      return {};
    }
    case "POST /stop":
      return { ended: await handlers.stop() };
    default:
      throw new StagecraftError(
        "not_found",
        `${request.method} ${request.url} is not GET /status, POST /scale, POST /reward-model or POST /stop`,
      );
  }
}

/** Throws `invalid_argument` for a service of which there cannot be several. */
function scalable(service: unknown): ScalableService {
  const known = SCALABLE.find((name) => name === service);
  if (known !== undefined) return known;
  throw new StagecraftError(
    "invalid_argument",
    `service ${JSON.stringify(service)} must be one of ${SCALABLE.join(", ")}; there is always one trainer`,
  );
}

async function readBody(request: IncomingMessage): Promise<Record<string, unknown>> {
  let text = "";
  for await (const chunk of request) {
    text += String(chunk);
    if (text.length > MAX_BODY_BYTES) break;
  }
  try {
    const body: unknown = JSON.parse(text);
    if (typeof body === "object" && body !== null) return body as Record<string, unknown>;
  } catch {
    // told below
  }
  throw new StagecraftError("invalid_argument", "the request's body is not a JSON object");
}

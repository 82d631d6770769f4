import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { StagecraftError } from "@stagecraft/core";
import type { Metrics } from "./metric-handles.js";

export interface MetricsServer extends AsyncDisposable {
  readonly port: number;
  close(): Promise<void>;
}

/**
 * Serves `GET /metrics` for Prometheus; everything else is 404. Binds loopback unless told otherwise.
 * Throws `already_exists` when the port is taken.
 */
export async function serveMetrics(
  metrics: Metrics,
  { host = "127.0.0.1", port = 0 }: { host?: string; port?: number } = {},
): Promise<MetricsServer> {
  const server = createServer((request, response) => {
    if (request.method !== "GET" || request.url?.split("?")[0] !== "/metrics") {
      response.writeHead(404).end();
      return;
    }
    metrics.text().then(
      (text) => response.writeHead(200, { "content-type": metrics.contentType }).end(text),
      () => response.writeHead(500).end(),
    );
  });
  await new Promise<void>((resolve, reject) => {
    server.once("error", (error) => {
      const { code } = StagecraftError.from(error);
      reject(
        new StagecraftError(code, `cannot serve metrics on ${host}:${port}; choose another port`, {
          cause: error,
        }),
      );
    });
    server.listen(port, host, resolve);
  });
  const close = () =>
    new Promise<void>((resolve) => {
      server.close(() => resolve());
      server.closeAllConnections();
    });
  return { port: (server.address() as AddressInfo).port, close, [Symbol.asyncDispose]: close };
}

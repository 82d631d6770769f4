import { StagecraftError } from "@stagecraft/core";
import { isLoopbackHost } from "@stagecraft/rpc";
import { startOpenAiServer, fixedKeys } from "@stagecraft/service-gateway";
import { setV8ForServing } from "@stagecraft/service-kit";
import { createMetrics, serveMetrics } from "@stagecraft/telemetry";
import { openModel, type OpenModel, type OpenModelOptions } from "./open-model.js";

export interface ServeOptions extends Omit<OpenModelOptions, "metrics"> {
  host: string;
  port: number;
  /** Keys that are accepted; none = everybody may call, on loopback only. */
  apiKeys: readonly string[];
  /** Time for what is being answered at the end, ms. */
  graceMs: number;
  /** Of GET /metrics, on loopback; 0 = any free one, none = no metrics. */
  metricsPort?: number;
  /** Ends serving in good order. */
  signal: AbortSignal;
}

/** What is served where, told when it is. */
export interface Serving extends Pick<
  OpenModel,
  "kind" | "engineName" | "engineNotice" | "unsupported"
> {
  url: string;
  /** Where metrics are read. */
  metricsUrl?: string;
}

/** Serves one model until the signal fires; throws when the model's thread dies before. */
export async function serveModel(
  options: ServeOptions,
  onServing: (serving: Serving) => void,
): Promise<void> {
  checkReach(options);
  setV8ForServing();
  const { host, port, apiKeys, graceMs, signal, metricsPort } = options;
  await using told = await openMetrics(metricsPort);
  await using model = await openModel({ ...options, ...(told && { metrics: told.metrics }) });
  const server = await startOpenAiServer({
    ...{ host, port, graceMs },
    models: model.models,
    authenticate: fixedKeys(apiKeys),
  });
  const { kind, engineName, engineNotice, unsupported } = model;
  const serving = { url: server.url, kind, engineName, engineNotice, unsupported };
  onServing({ ...serving, ...(told && { metricsUrl: told.url }) });
  const stopped = new Promise<"stopped">((resolve) => {
    if (signal.aborted) resolve("stopped");
    signal.addEventListener("abort", () => resolve("stopped"), { once: true });
  });
  const why = await Promise.race([stopped, model.ended]);
  await server.close();
  if (why !== "stopped" && why !== undefined) throw why;
}

async function openMetrics(port: number | undefined) {
  if (port === undefined) return undefined;
  const metrics = createMetrics({ service: "serve" });
  const exporter = await serveMetrics(metrics, { host: "127.0.0.1", port });
  const url = `http://127.0.0.1:${exporter.port}/metrics`;
  return { metrics, url, [Symbol.asyncDispose]: () => exporter.close() };
}

/** Beyond this machine nobody answers strangers, and keys do not travel in the clear by accident. */
function checkReach({ host, apiKeys }: ServeOptions): void {
  if (isLoopbackHost(host) || apiKeys.length > 0) return;
  throw new StagecraftError(
    "invalid_argument",
    `--host ${host} can be reached from elsewhere: give --api-key, and put TLS in front`,
  );
}

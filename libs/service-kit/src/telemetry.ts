import {
  createLogger,
  createMetrics,
  serveMetrics,
  startTraceExport,
  type Logger,
  type Metrics,
} from "@stagecraft/telemetry";
import type { ServiceName } from "./load-service-config.js";
import type { ServerSettings } from "./options.js";

/** What a service process tells about itself. */
export interface ServiceTelemetry extends AsyncDisposable {
  logger: Logger;
  metrics: Metrics;
  /** Of GET /metrics. */
  metricsPort: number;
}

/** Logs to standard error, serves metrics, and sends traces where the settings say so. */
export async function startTelemetry(
  service: ServiceName,
  config: ServerSettings,
): Promise<ServiceTelemetry> {
  const logger = createLogger({ service, level: config.logLevel });
  const metrics = createMetrics({ service });
  const { metricsHost: host, metricsPort: port } = config;
  const traces = startTraceExport({
    service,
    endpoint: config.tracesEndpoint,
    sampleRatio: config.traceSampleRatio,
  });
  const exporter = await serveMetrics(metrics, { host, port });
  return {
    logger,
    metrics,
    metricsPort: exporter.port,
    async [Symbol.asyncDispose]() {
      await exporter.close();
      await traces.close(); // last: spans end with the work they cover
    },
  };
}

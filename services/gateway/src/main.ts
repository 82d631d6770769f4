import { redactConfig } from "@stagecraft/config";
import { createRpcServer } from "@stagecraft/rpc";
import { runMain, serverOptions, terminationSignal } from "@stagecraft/service-kit";
import { createLogger, createMetrics, serveMetrics } from "@stagecraft/telemetry";
import { gatewaySchema, loadGatewayConfig } from "./config.js";
import { createFeedbackService } from "./feedback-service.js";
import { openFeedbackStore } from "./feedback-store.js";

runMain(async () => {
  const config = await loadGatewayConfig(process.argv.slice(2));
  const terminated = terminationSignal();
  const logger = createLogger({ service: "gateway", level: config.logLevel });
  const metrics = createMetrics({ service: "gateway" });
  await using exporter = await serveMetrics(metrics, { port: config.metricsPort });
  logger.info({ config: redactConfig(gatewaySchema, config) }, "starting");

  await using store = await openFeedbackStore(config.feedbackDir);
  const server = createRpcServer({ ...serverOptions(config), logger, metrics });
  createFeedbackService({ store }).register(server);
  const { port } = await server.start();
  logger.info({ port, metricsPort: exporter.port }, "serving");

  logger.info({ signal: await terminated }, "stopping");
  await server.drain(config.graceMs);
});

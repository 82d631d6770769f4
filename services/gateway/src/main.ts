import { redactConfig } from "@stagecraft/config";
import { createRpcServer } from "@stagecraft/rpc";
import {
  setV8ForServing,
  runMain,
  serverOptions,
  startTelemetry,
  terminationSignal,
} from "@stagecraft/service-kit";
import { gatewaySchema, loadGatewayConfig } from "./config.js";
import { createFeedbackService } from "./feedback/feedback-service.js";
import { startPages } from "./pages.js";
import { openStore } from "./store/open-store.js";

runMain(async () => {
  setV8ForServing();
  const config = await loadGatewayConfig(process.argv.slice(2));
  const terminated = terminationSignal();
  await using telemetry = await startTelemetry("gateway", config);
  const { logger, metrics, metricsPort } = telemetry;
  logger.info({ config: redactConfig(gatewaySchema, config) }, "starting");

  const { feedbackDir: dir, databaseUrl: url, ratersPerComparison, allowPlaintext } = config;
  await using database = await openStore({ dir, url, allowPlaintext, logger });
  const server = createRpcServer({ ...serverOptions(config), logger, metrics });
  createFeedbackService({ database, defaults: { ratersPerComparison } }).register(server);
  // First: who finds the gateway healthy finds its pages.
  const pages = await startPages(config, { database, logger });
  const { port } = await server.start();
  logger.info({ port, metricsPort }, "serving");

  logger.info({ signal: await terminated }, "stopping");
  await Promise.all([server.drain(config.graceMs), pages?.close()]);
});

import { hostname } from "node:os";
import { createJetStreamBus, ensureTopology } from "@stagecraft/bus";
import { redactConfig } from "@stagecraft/config";
import { createRpcServer } from "@stagecraft/rpc";
import { busOptions, runMain, serverOptions, terminationSignal } from "@stagecraft/service-kit";
import { createLogger, createMetrics, serveMetrics } from "@stagecraft/telemetry";
import { connectionOptions, loadRolloutConfig, rewardSources, rolloutSchema } from "./config.js";
import { openRolloutService } from "./open.js";

runMain(async () => {
  const config = await loadRolloutConfig(process.argv.slice(2));
  const terminated = terminationSignal();
  const logger = createLogger({ service: "rollout", level: config.logLevel });
  const metrics = createMetrics({ service: "rollout" });
  await using exporter = await serveMetrics(metrics, { port: config.metricsPort });
  logger.info({ config: redactConfig(rolloutSchema, config) }, "starting");

  await using bus = await createJetStreamBus({
    ...busOptions(config),
    name: "rollout",
    logger,
    metrics,
  });
  const service = await openRolloutService({
    ...config,
    workerId: config.workerId || `${hostname()}-${process.pid}`,
    bus,
    topology: await ensureTopology(bus, config.run),
    rewards: rewardSources(config),
    connection: connectionOptions(config),
    logger,
  });

  const server = createRpcServer({ ...serverOptions(config), logger, metrics });
  service.register(server);
  const { port } = await server.start();
  logger.info({ port, metricsPort: exporter.port }, "serving");

  logger.info({ signal: await terminated }, "stopping");
  await service.close(AbortSignal.timeout(config.graceMs));
  await server.drain(config.graceMs);
});

import { hostname } from "node:os";
import { createJetStreamBus, ensureTopology } from "@stagecraft/bus";
import { redactConfig } from "@stagecraft/config";
import { createRpcServer } from "@stagecraft/rpc";
import {
  BROKER_WAIT_MS,
  busOptions,
  clientOptions,
  createHealth,
  runMain,
  serverOptions,
  startTelemetry,
  terminationSignal,
  topologyOptions,
  type Health,
} from "@stagecraft/service-kit";
import { loadRolloutConfig, rewardSources, rolloutSchema } from "./config.js";
import { openRolloutService } from "./open-service.js";

runMain(async () => {
  const config = await loadRolloutConfig(process.argv.slice(2));
  const terminated = terminationSignal();
  await using telemetry = await startTelemetry("rollout", config);
  const { logger, metrics, metricsPort } = telemetry;
  logger.info({ config: redactConfig(rolloutSchema, config) }, "starting");

  await using bus = await createJetStreamBus({
    ...busOptions(config),
    connectTimeoutMs: BROKER_WAIT_MS,
    name: "rollout",
    logger,
    metrics,
  });
  const later: { health?: Health } = {}; // it needs the server, which comes after the service
  const service = await openRolloutService({
    ...config,
    workerId: config.workerId || `${hostname()}-${process.pid}`,
    bus,
    topology: await ensureTopology(bus, config.deployment, topologyOptions(config)),
    rewards: rewardSources(config),
    connection: clientOptions(config),
    onDrained: (problem) => later.health?.set("drained", problem),
    logger,
    metrics,
  });

  const server = createRpcServer({ ...serverOptions(config), logger, metrics });
  service.register(server);
  const { port } = await server.start();
  const services = ["stagecraft.rollout.v1.RolloutService"];
  later.health = createHealth({ server, services, logger, metrics });
  logger.info({ port, metricsPort }, "serving");

  logger.info({ signal: await terminated }, "stopping");
  await service.close(AbortSignal.timeout(config.graceMs));
  await server.drain(config.graceMs);
});

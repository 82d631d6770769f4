import { createJetStreamBus, ensureTopology } from "@stagecraft/bus";
import { openWeightStore } from "@stagecraft/checkpoint";
import { redactConfig } from "@stagecraft/config";
import { createRpcServer } from "@stagecraft/rpc";
import {
  busOptions,
  engineOptions,
  runMain,
  serverOptions,
  terminationSignal,
} from "@stagecraft/service-kit";
import { createLogger, createMetrics, serveMetrics } from "@stagecraft/telemetry";
import { initEngine } from "@stagecraft/tensor";
import { loadTrainerConfig, trainerSchema } from "./config.js";
import { openTrainerService } from "./open.js";
import { plainStages } from "./plain-stages.js";

runMain(async () => {
  const config = await loadTrainerConfig(process.argv.slice(2));
  const terminated = terminationSignal();
  const logger = createLogger({ service: "trainer", level: config.logLevel });
  const metrics = createMetrics({ service: "trainer" });
  await using exporter = await serveMetrics(metrics, { port: config.metricsPort });
  logger.info({ config: redactConfig(trainerSchema, config) }, "starting");

  const engine = await initEngine(engineOptions(config));
  await using bus = await createJetStreamBus({
    ...busOptions(config),
    name: "trainer",
    logger,
    metrics,
  });
  const topology = await ensureTopology(bus, config.run);
  const store = openWeightStore(config.weightsDir);
  const stages = plainStages();
  const service = await openTrainerService({ ...config, bus, topology, store, stages, logger });

  const server = createRpcServer({ ...serverOptions(config), logger, metrics });
  service.register(server);
  const { port } = await server.start();
  logger.info({ port, metricsPort: exporter.port, engine: engine.name }, "serving");

  logger.info({ signal: await terminated }, "stopping");
  await service.close(); // a run that is going on writes its checkpoint first
  await server.drain(config.graceMs);
});

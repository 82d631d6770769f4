import { createJetStreamBus, ensureTopology } from "@stagecraft/bus";
import { openWeightStore } from "@stagecraft/checkpoint";
import { redactConfig } from "@stagecraft/config";
import { StagecraftError } from "@stagecraft/core";
import { createRpcServer } from "@stagecraft/rpc";
import {
  busOptions,
  engineOptions,
  runMain,
  serverOptions,
  startTelemetry,
  terminationSignal,
} from "@stagecraft/service-kit";
import { initEngine } from "@stagecraft/tensor";
import { reportBacklog } from "./bus-backlog.js";
import { loadTrainerConfig, trainerSchema } from "./config.js";
import { openTrainerService } from "./open.js";
import { plainStages } from "./plain-stages.js";
import { holdTrainerLease, untilReplaced } from "./trainer-lease.js";

runMain(async () => {
  const config = await loadTrainerConfig(process.argv.slice(2));
  const terminated = terminationSignal();
  await using telemetry = await startTelemetry("trainer", config);
  const { logger, metrics, metricsPort } = telemetry;
  logger.info({ config: redactConfig(trainerSchema, config) }, "starting");

  const engine = await initEngine(engineOptions(config));
  await using bus = await createJetStreamBus({
    ...busOptions(config),
    name: "trainer",
    logger,
    metrics,
  });
  const topology = await ensureTopology(bus, config.run, config);
  const store = openWeightStore(config.weightsDir);
  const stopped = new AbortController();
  void terminated.then((name) => stopped.abort(new StagecraftError("cancelled", name)));
  const { signal } = stopped;
  await using lease = await holdTrainerLease({ ...config, bus, topology, signal, logger });
  if (!lease) return;
  const stages = plainStages();
  reportBacklog(metrics, bus, topology);
  const service = await openTrainerService({
    ...config,
    bus,
    topology,
    store,
    stages,
    lease,
    selfHealing: true,
    logger,
    metrics,
  });

  const server = createRpcServer({ ...serverOptions(config), logger, metrics });
  service.register(server);
  const { port } = await server.start();
  logger.info({ port, metricsPort, engine: engine.name, epoch: lease.epoch }, "serving");

  logger.info({ signal: await Promise.race([terminated, untilReplaced(lease)]) }, "stopping");
  await service.close(); // a run that is going on writes its checkpoint first
  await server.drain(config.graceMs);
});

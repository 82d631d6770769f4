import { createJetStreamBus, ensureTopology, watchTopology } from "@stagecraft/bus";
import { readSigner } from "@stagecraft/checkpoint";
import { redactConfig } from "@stagecraft/config";
import { createRpcServer } from "@stagecraft/rpc";
import {
  abortOn,
  BROKER_WAIT_MS,
  busOptions,
  createHealth,
  runMain,
  serverOptions,
  startTelemetry,
  superviseThread,
  terminationSignal,
  topologyOptions,
} from "@stagecraft/service-kit";
import { openWeightStoreAt } from "@stagecraft/weights";
import { reportBacklog } from "./rollouts/bus-backlog.js";
import { loadTrainerConfig, trainerSchema } from "./config.js";
import { openTrainerService } from "./open-service.js";
import { plainStages } from "./runs/plain-stages.js";
import { createRunThreads } from "./threads/thread-client.js";
import { signingStage } from "./runs/signing-stage.js";
import { storeStage } from "./runs/store-stage.js";
import { holdTrainerLease, untilReplaced } from "./replicas/trainer-lease.js";

runMain(async () => {
  const config = await loadTrainerConfig(process.argv.slice(2));
  const terminated = terminationSignal();
  await using telemetry = await startTelemetry("trainer", config);
  const { logger, metrics, metricsPort } = telemetry;
  logger.info({ config: redactConfig(trainerSchema, config) }, "starting");

  await using bus = await createJetStreamBus({
    ...busOptions(config),
    connectTimeoutMs: BROKER_WAIT_MS,
    name: "trainer",
    logger,
    metrics,
  });
  const topology = await ensureTopology(bus, config.deployment, topologyOptions(config));
  const objects = () => bus.objects(topology.weightsBucket);
  const signer = await readSigner(config.signKey);
  const store = await openWeightStoreAt(config.weightsDir, objects, { signer });
  const signal = abortOn(terminated);
  await using lease = await holdTrainerLease({ ...config, bus, topology, signal, logger });
  if (!lease) return;
  await store.sweep?.(); // nobody else publishes now
  const threads = createRunThreads({ config, topology, lease, metrics });
  reportBacklog(metrics, bus, topology);
  const service = await openTrainerService({
    ...config,
    bus,
    topology,
    store,
    stages: plainStages(),
    host: (stage) =>
      storeStage(signingStage(threads.host(stage), signer), { ...config, settings: config }),
    lease,
    selfHealing: true,
    logger,
    metrics,
  });

  const server = createRpcServer({ ...serverOptions(config), logger, metrics });
  service.register(server);
  const { port } = await server.start();
  logger.info({ port, metricsPort, epoch: lease.epoch }, "serving");

  const services = ["stagecraft.trainer.v1.TrainerService"];
  const health = createHealth({ server, services, logger, metrics });
  const onProblem = (problem: string | undefined) => health.set("bus", problem);
  const watch = watchTopology({ bus, topology, logger, onProblem });
  const end = Promise.race([terminated, untilReplaced(lease)]);
  const why = await superviseThread(threads, { server, health, terminated: end, logger });
  watch.close();
  logger.info({ signal: why }, "stopping");
  await service.close(); // a run that is going on writes its checkpoint first
  await server.drain(config.graceMs);
});

import { createJetStreamBus, ensureTopology } from "@stagecraft/bus";
import { openWeightStore } from "@stagecraft/checkpoint";
import { redactConfig } from "@stagecraft/config";
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
import { loadPolicyConfig, policySchema } from "./config.js";
import { openPolicyService } from "./open.js";

/** A connection that has grown old is given this time to finish its answers. */
const LONGEST_STREAM_MS = 10 * 60_000;

runMain(async () => {
  const config = await loadPolicyConfig(process.argv.slice(2));
  const terminated = terminationSignal();
  await using telemetry = await startTelemetry("policy", config);
  const { logger, metrics, metricsPort } = telemetry;
  logger.info({ config: redactConfig(policySchema, config) }, "starting");

  const engine = await initEngine(engineOptions(config));
  await using bus = await createJetStreamBus({
    ...busOptions(config),
    name: "policy",
    logger,
    metrics,
  });
  const { weightsBucket } = await ensureTopology(bus, config.run);
  const store = openWeightStore(config.weightsDir);
  const service = await openPolicyService({ ...config, bus, weightsBucket, store, logger });

  const maxConcurrentCalls = config.maxActive + config.maxQueued;
  const limits = { maxConcurrentCalls, maxConnectionAgeGraceMs: LONGEST_STREAM_MS };
  const server = createRpcServer({ ...serverOptions(config), limits, logger, metrics });
  service.register(server);
  const { port } = await server.start();
  logger.info({ port, metricsPort, engine: engine.name }, "serving");

  logger.info({ signal: await terminated }, "stopping");
  await server.drain(config.graceMs);
  await service.close();
});

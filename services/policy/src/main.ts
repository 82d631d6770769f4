import { createJetStreamBus, ensureTopology } from "@stagecraft/bus";
import { openWeightStore } from "@stagecraft/checkpoint";
import { redactConfig } from "@stagecraft/config";
import { createRpcServer } from "@stagecraft/rpc";
import { createLogger, createMetrics, serveMetrics } from "@stagecraft/telemetry";
import { initEngine } from "@stagecraft/tensor";
import { loadPolicyConfig, policySchema } from "./config.js";
import { openPolicyService } from "./open.js";
import { runMain, serverOptions, terminationSignal } from "./process.js";

/** A connection that has grown old is given this time to finish its answers. */
const LONGEST_STREAM_MS = 10 * 60_000;

runMain(async () => {
  const config = await loadPolicyConfig(process.argv.slice(2));
  const terminated = terminationSignal();
  const logger = createLogger({ service: "policy", level: config.logLevel });
  const metrics = createMetrics({ service: "policy" });
  await using exporter = await serveMetrics(metrics, { port: config.metricsPort });
  logger.info({ config: redactConfig(policySchema, config) }, "starting");

  const engine = await initEngine({
    engine: config.engine,
    ...(config.threads > 0 ? { numThreads: config.threads } : {}),
  });
  await using bus = await createJetStreamBus({
    servers: config.natsUrl.split(","),
    name: "policy",
    ...(config.natsToken === "" ? {} : { token: config.natsToken }),
    allowPlaintext: config.allowPlaintext,
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
  logger.info({ port, metricsPort: exporter.port, engine: engine.name }, "serving");

  logger.info({ signal: await terminated }, "stopping");
  await server.drain(config.graceMs);
  await service.close();
});

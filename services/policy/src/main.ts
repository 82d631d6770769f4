import { createJetStreamBus, ensureTopology } from "@stagecraft/bus";
import { readVerifier, verifyDirectory } from "@stagecraft/checkpoint";
import { redactConfig } from "@stagecraft/config";
import { bringModels, localModel } from "@stagecraft/model-store";
import { createRpcServer } from "@stagecraft/rpc";
import {
  abortOn,
  BROKER_WAIT_MS,
  busOptions,
  createHealth,
  setV8ForServing,
  runMain,
  serverOptions,
  startTelemetry,
  superviseThread,
  terminationSignal,
  topologyOptions,
} from "@stagecraft/service-kit";
import { fetchInThread, openWeightStoreAt } from "@stagecraft/weights";
import { engineThreadOptions, loadPolicyConfig, policySchema } from "./config.js";
import { assemblePolicyService } from "./open-service.js";
import { createThreadedEngine } from "./thread-client.js";

/** A connection that has grown old is given this time to finish its answers. */
const LONGEST_STREAM_MS = 10 * 60_000;

runMain(async () => {
  setV8ForServing();
  const given = await loadPolicyConfig(process.argv.slice(2));
  const terminated = terminationSignal();
  await using telemetry = await startTelemetry("policy", given);
  const { logger, metrics, metricsPort } = telemetry;
  logger.info({ config: redactConfig(policySchema, given) }, "starting");
  const info = (text: string) => logger.info(text);
  if (given.bringModels) {
    const signal = abortOn(terminated);
    return bringModels([given.modelDir], { settings: given, info, signal });
  }
  const config = {
    ...given,
    modelDir: await localModel(given.modelDir, { settings: given, info }),
  };

  const verifier = await readVerifier(config.verifyKeys);
  if (verifier) await verifyDirectory(config.modelDir, verifier);
  const engine = await createThreadedEngine({ ...engineThreadOptions(config), metrics });
  await using bus = await createJetStreamBus({
    ...busOptions(config),
    connectTimeoutMs: BROKER_WAIT_MS,
    name: "policy",
    logger,
    metrics,
  });
  const { weightsBucket } = await ensureTopology(bus, config.deployment, topologyOptions(config));
  const { weightsDir, verifyKeys } = config;
  const opened = await openWeightStoreAt(weightsDir, () => bus.objects(weightsBucket));
  const where = { weightsDir, weightsBucket, verifyKeys, bus: busOptions(config) };
  await using store = fetchInThread(opened, where);
  const parts = { ...config, bus, weightsBucket, store, logger, metrics };
  const service = assemblePolicyService(engine, parts);

  const maxConcurrentCalls = config.maxActive + config.maxQueued;
  const limits = { maxConcurrentCalls, maxConnectionAgeGraceMs: LONGEST_STREAM_MS };
  const server = createRpcServer({ ...serverOptions(config, limits), logger, metrics });
  service.register(server);
  const { port } = await server.start();
  logger.info(
    { port, metricsPort, engine: engine.engineName, notice: engine.engineNotice },
    "serving",
  );

  const health = createHealth({
    server,
    services: ["stagecraft.policy.v1.PolicyService"],
    logger,
    metrics,
  });
  const signal = await superviseThread(engine, { server, health, terminated, logger });
  logger.info({ signal }, "stopping");
  await server.drain(config.graceMs);
  await service.close();
});

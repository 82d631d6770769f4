import { redactConfig } from "@stagecraft/config";
import { createRpcServer } from "@stagecraft/rpc";
import {
  engineOptions,
  runMain,
  serverOptions,
  startTelemetry,
  terminationSignal,
} from "@stagecraft/service-kit";
import { initEngine } from "@stagecraft/tensor";
import { loadRewardModelConfig, rewardModelSchema } from "./config.js";
import { openRewardModelService } from "./open.js";

runMain(async () => {
  const config = await loadRewardModelConfig(process.argv.slice(2));
  const terminated = terminationSignal();
  await using telemetry = await startTelemetry("reward-model", config);
  const { logger, metrics, metricsPort } = telemetry;
  logger.info({ config: redactConfig(rewardModelSchema, config) }, "starting");

  const engine = await initEngine(engineOptions(config));
  const models = config.models.map((text) => {
    const [name = "", ...dir] = text.split("=");
    return { name, dir: dir.join("=") };
  });
  const service = await openRewardModelService({ ...config, models, metrics });

  const limits = { maxConcurrentCalls: config.maxQueued };
  const server = createRpcServer({ ...serverOptions(config), limits, logger, metrics });
  service.register(server);
  const { port } = await server.start();
  logger.info({ port, metricsPort, engine: engine.name }, "serving");

  logger.info({ signal: await terminated }, "stopping");
  await server.drain(config.graceMs);
  await service.close();
});

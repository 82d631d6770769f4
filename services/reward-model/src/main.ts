import { readVerifier, verifyDirectory } from "@stagecraft/checkpoint";
import { redactConfig } from "@stagecraft/config";
import { bringModels, localModel } from "@stagecraft/model-store";
import { createRpcServer } from "@stagecraft/rpc";
import { engineSettings } from "@stagecraft/fields";
import {
  abortOn,
  createHealth,
  setV8ForServing,
  runMain,
  serverOptions,
  startTelemetry,
  superviseThread,
  terminationSignal,
} from "@stagecraft/service-kit";
import { loadRewardModelConfig, rewardModelSchema } from "./config.js";
import { createRewardModelService } from "./service.js";
import { createThreadedScorers } from "./thread-client.js";

runMain(async () => {
  setV8ForServing();
  const config = await loadRewardModelConfig(process.argv.slice(2));
  const terminated = terminationSignal();
  await using telemetry = await startTelemetry("reward-model", config);
  const { logger, metrics, metricsPort } = telemetry;
  logger.info({ config: redactConfig(rewardModelSchema, config) }, "starting");

  const info = (text: string) => logger.info(text);
  if (config.bringModels) {
    const signal = abortOn(terminated);
    return bringModels(
      config.models.map((text) => text.slice(text.indexOf("=") + 1)),
      { settings: config, info, signal },
    );
  }
  const models: { name: string; dir: string }[] = [];
  for (const text of config.models) {
    const [name = "", ...dir] = text.split("=");
    models.push({ name, dir: await localModel(dir.join("="), { settings: config, info }) });
  }
  const verifier = await readVerifier(config.verifyKeys);
  if (verifier) for (const { dir } of models) await verifyDirectory(dir, verifier);
  await using thread = await createThreadedScorers({
    models,
    engine: engineSettings(config),
    stuckAfterMs: config.stuckAfterMs,
    metrics,
  });
  const service = createRewardModelService({ ...config, scorers: thread.scorers, metrics });

  const limits = { maxConcurrentCalls: config.maxQueued };
  const server = createRpcServer({ ...serverOptions(config, limits), logger, metrics });
  service.register(server);
  const { port } = await server.start();
  logger.info(
    { port, metricsPort, engine: thread.engineName, notice: thread.engineNotice },
    "serving",
  );

  const health = createHealth({
    server,
    services: ["stagecraft.reward.v1.RewardService"],
    logger,
    metrics,
  });
  const signal = await superviseThread(thread, { server, health, terminated, logger });
  logger.info({ signal }, "stopping");
  await server.drain(config.graceMs);
  await service.close();
});

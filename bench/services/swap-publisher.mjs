// The trainer's part of weights-swap.mjs: swap-publisher.mjs MODEL_DIR WEIGHTS_DIR NATS_URL DEPLOYMENT. Each
// line VERSION publishes the model's weights, all scaled a little, under that number and announces it.
import { createInterface } from "node:readline";
import { createJetStreamBus, deploymentTopology } from "@stagecraft/bus";
import { readSafetensors } from "@stagecraft/checkpoint";
import { events } from "@stagecraft/contracts";
import { openWeightStore, WEIGHTS_KEY } from "@stagecraft/weights";

const [modelDir, weightsDir, natsUrl, deployment] = process.argv.slice(2);
const { tensors } = await readSafetensors(`${modelDir}/model.safetensors`);
const store = openWeightStore(weightsDir);
const bus = await createJetStreamBus({ servers: [natsUrl], name: "publisher" });
const bucket = await bus.keyValue(deploymentTopology(deployment).weightsBucket);

console.log(JSON.stringify({ ready: true }));
for await (const line of createInterface({ input: process.stdin })) {
  const version = Number(line);
  for (const { data } of tensors.values()) for (let i = 0; i < data.length; i++) data[i] *= 1.001;
  const startedAt = performance.now();
  const { sha256, sizeBytes } = await store.publish(version, tensors);
  const seconds = (performance.now() - startedAt) / 1000;
  const weights = { version, sha256, step: BigInt(version), sizeBytes: BigInt(sizeBytes) };
  const event = events.WeightsPublished.encode({
    runId: deployment,
    weights,
    createdAt: new Date(),
  });
  await bucket.put(WEIGHTS_KEY, event.finish());
  await store.prune(2);
  console.log(JSON.stringify({ version, sizeBytes, seconds }));
}
await bus.close();
process.exit(0);

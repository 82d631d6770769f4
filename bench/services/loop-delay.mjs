// Do the services answer while they compute? See HELP.
import { writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { trainer } from "@stagecraft/contracts";
import { createModel, presetConfig, saveModel } from "@stagecraft/model";
import { createRpcClient } from "@stagecraft/rpc";
import { initEngine } from "@stagecraft/tensor";
import { startNatsServer, tempDir } from "@stagecraft/testing";
import { trainCharTokenizer } from "@stagecraft/tokenizer";
import { parseOptions, wholeNumber } from "../lib/options.mjs";
import { BenchProcess } from "../lib/process.mjs";
import { loopDelayMs, probe, startService, withResources } from "./cluster.mjs";

const GOAL_MS = 20;
const SIZES = {
  small: { hiddenSize: 128, numLayers: 4, numHeads: 4 },
  base: { hiddenSize: 384, numLayers: 6, numHeads: 6 },
};
const HELP = `Do the services answer while they compute?

node bench/services/loop-delay.mjs [options]

  --updates N   PPO updates to run (default 3)
  --size NAME   of the models: base (6 layers of 384, default) or small (4 of 128)
  --threads N   threads of each engine (default 1)
  --json FILE   write what was measured

Runs PPO on processes (policy, reward model, rollout worker, trainer over nats-server) and meanwhile asks every
one of them for its health ten times a second. Prints for each: p99 delay of its main loop over the whole run
as the service itself measures it (stagecraft_event_loop_lag; goal: below ${GOAL_MS} ms), the slowest health answer,
and failed probes. The last row is a process that does nothing: what the machine itself costs. The
machine should do nothing else.`;

const OPTIONS = {
  updates: { type: "string", default: "3" },
  size: { type: "string", default: "base" },
  threads: { type: "string", default: "1" },
  json: { type: "string" },
};
const options = parseOptions(HELP, OPTIONS, ({ updates, size, threads, json }) => {
  if (!Object.hasOwn(SIZES, size)) throw new Error(`--size must be base or small, got ${size}`);
  return {
    updates: wholeNumber(updates, "--updates", 1),
    threads: wholeNumber(threads, "--threads", 1),
    size,
    json,
  };
});

async function writeModels(dir) {
  await initEngine({ engine: "native", numThreads: 1 });
  const letters = Array.from({ length: 4000 }, (_, i) => String.fromCodePoint(0x4e00 + i));
  const tokenizer = await trainCharTokenizer([letters.join("")]);
  const { vocabSize } = tokenizer;
  const config = presetConfig("llama", { ...SIZES[options.size], vocabSize, maxPositions: 160 });
  for (const [name, head] of [
    ["policy", "lm"],
    ["reward", "score"],
  ]) {
    const model = createModel(config, { seed: name.length, heads: [head] });
    await saveModel(`${dir}/${name}`, model, { tokenizerFiles: tokenizer.files() });
    model.dispose();
  }
  const lines = Array.from({ length: 32 }, (_, i) => {
    const content = letters.slice(31 * i, 31 * i + 24).join("");
    return JSON.stringify({ id: `p${i}`, messages: [{ role: "user", content }] });
  });
  writeFileSync(`${dir}/prompts.jsonl`, `${lines.join("\n")}\n`);
}

async function startServices(dir, natsUrl, keep) {
  const bus = { "nats-url": natsUrl, deployment: "loop" };
  const tensors = { engine: "native", threads: options.threads };
  const weights = { "weights-dir": `${dir}/weights` };
  const start = async (service, flags) => keep(await startService(service, flags));
  const policy = await start("policy", {
    ...{ ...bus, ...tensors, ...weights },
    "model-dir": `${dir}/policy`,
  });
  const reward = await start("reward-model", { ...tensors, models: `reward=${dir}/reward` });
  const rollout = await start("rollout", {
    ...bus,
    ...{ "policy-address": policy.address, "reward-address": reward.address },
  });
  const flags = { ...bus, ...tensors, ...weights, "runs-dir": `${dir}/runs`, "read-dirs": dir };
  return [policy, reward, rollout, await start("trainer", flags)];
}

async function train(address, dir) {
  const client = createRpcClient(trainer.TrainerServiceClient, address);
  const config = {
    ...{ policy: `${dir}/policy`, rewardModel: `${dir}/reward`, prompts: [`${dir}/prompts.jsonl`] },
    ...{ updates: options.updates, promptsPerUpdate: 32, epochs: 2, maxNewTokens: 64 },
    ...{ engine: "native", checkpointEvery: 1 },
  };
  const run = { runId: "loop", stage: "ppo", config, resume: false, overwrite: false, runDir: "" };
  await client.createRun(run);
  const watching = client.watchRun({ runId: "loop", afterSequence: 0n }, { timeoutMs: 3_600_000 });
  for await (const { event } of watching) {
    if (event?.$case === "progress") console.log(`update ${event.value.done}`);
  }
  const { run: ended } = await client.getRun({ runId: "loop" });
  client.close();
  if (ended.state !== trainer.RunState.SUCCEEDED) throw new Error(JSON.stringify(ended.error));
}

async function main(keep) {
  const directory = keep(await tempDir());
  const dir = directory.path;
  await writeModels(dir);
  const nats = keep(await startNatsServer({ maxFileStoreBytes: 8 * 1024 ** 3 }));
  const services = await startServices(dir, nats.url, keep);
  const idle = await BenchProcess.start(process.execPath, [
    fileURLToPath(new URL("idle.mjs", import.meta.url)),
  ]);
  await idle.measure(1);
  for (const service of services) await loopDelayMs(service); // from here on
  const stopProbing = probe(services);
  const startedAt = performance.now();
  await train(services.at(-1).address, dir);
  const seconds = (performance.now() - startedAt) / 1000;
  const delays = await Promise.all(services.map(loopDelayMs));
  const probes = [...(await stopProbing()).values()];
  const rows = services.map(({ service }, i) => {
    const { numProbes, numFailed, slowestMs } = probes[i];
    const loopDelayP99Ms = Number(delays[i].toFixed(1));
    return { service, loopDelayP99Ms, slowestProbeMs: Math.round(slowestMs), numProbes, numFailed };
  });
  const { p99Ms } = await idle.measure(1);
  await idle.stop();
  console.table([...rows, { service: "(idle)", loopDelayP99Ms: Number(p99Ms.toFixed(1)) }]);
  console.log(`${options.updates} updates of 32 answers in ${seconds.toFixed(0)} s`);
  if (options.json)
    writeFileSync(options.json, `${JSON.stringify({ seconds, rows }, undefined, 2)}\n`);
  process.exitCode = rows.every(({ loopDelayP99Ms }) => loopDelayP99Ms < GOAL_MS) ? 0 : 1;
}

await withResources(main);

import { existsSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { policy, reward, rollout, trainer } from "@stagecraft/contracts";
import { writeJsonl } from "@stagecraft/data";
import { createModel, presetConfig, saveModel } from "@stagecraft/model";
import { createRpcClient } from "@stagecraft/rpc";
import { initEngine } from "@stagecraft/tensor";
import {
  hasNatsServer,
  NATS_MISSING,
  servingAddress,
  startNatsServer,
  startProcess,
  tempDir,
  waitFor,
  type StartedProcess,
} from "@stagecraft/testing";
import { trainCharTokenizer } from "@stagecraft/tokenizer";
import { describe, expect, it } from "vitest";

const mainOf = (service: string) =>
  fileURLToPath(new URL(`../../${service}/dist/main.js`, import.meta.url));
const SERVICES = ["policy", "reward-model", "rollout", "trainer"];
const missing = !hasNatsServer()
  ? NATS_MISSING
  : SERVICES.some((service) => !existsSync(mainOf(service)))
    ? "services are not built (npm run build)"
    : undefined;

/** Tiny random models that share a tokenizer, and some prompts. */
async function writeWorld(dir: string): Promise<void> {
  await initEngine({ engine: "cpu" });
  const tokenizer = await trainCharTokenizer(["abcdefghijklmnopqrstuvwxyz .?"]);
  const sizes = { hiddenSize: 8, numLayers: 1, numHeads: 2, maxPositions: 40 };
  const config = presetConfig("llama", { vocabSize: tokenizer.vocabSize, ...sizes });
  const tokenizerFiles = tokenizer.files();
  for (const [name, seed, head] of [
    ["policy", 1, "lm"],
    ["reward", 2, "score"],
  ] as const) {
    const model = createModel(config, { seed, heads: [head] });
    await saveModel(`${dir}/${name}`, model, { tokenizerFiles });
    model.dispose();
  }
  const prompts = ["hi", "who?", "a cat"].map((content, i) => ({
    id: `p${i}`,
    messages: [{ role: "user", content }],
  }));
  await writeJsonl(`${dir}/prompts.jsonl`, prompts);
}

interface Started extends StartedProcess {
  address: string;
}

/** Starts a service's dist/main.js on a free port and waits until it serves. */
async function start(
  service: string,
  args: Record<string, string | number>,
  env: NodeJS.ProcessEnv = {},
): Promise<Started> {
  const flags = Object.entries({ port: 0, ...args }).flatMap(([k, v]) => [`--${k}`, String(v)]);
  const options = { env: { ...process.env, ...env } };
  const started = await startProcess(process.execPath, [mainOf(service), ...flags], options);
  return Object.assign(started, { address: await servingAddress(started, service) });
}

describe.skipIf(missing !== undefined)(`four processes${missing ? `: ${missing}` : ""}`, () => {
  it("train with PPO over gRPC and JetStream, and end in good order on SIGTERM", async () => {
    await using directory = await tempDir();
    const dir = directory.path;
    await writeWorld(dir);
    await using nats = await startNatsServer({ maxFileStoreBytes: 8 * 1024 ** 3 });
    const common = { "nats-url": nats.url, deployment: "test" };
    const engine = { engine: "cpu", "weights-dir": "nats:" }; // weights through the object store
    await using policyServer = await start("policy", {
      ...common,
      ...engine,
      "model-dir": `${dir}/policy`,
    });
    await using rewardServer = await start("reward-model", {
      models: `rm=${dir}/reward`,
      engine: "cpu",
    });
    const addresses = {
      "policy-address": policyServer.address,
      "reward-address": rewardServer.address,
    };
    await using worker = await start("rollout", { ...common, ...addresses });
    const runsDir = { STAGECRAFT_TRAINER_RUNS_DIR: `${dir}/runs` };
    const startTrainer = () =>
      start("trainer", { ...common, ...engine, "read-dirs": dir }, runsDir);
    await using trainerServer = await startTrainer();

    await using client = createRpcClient(trainer.TrainerServiceClient, trainerServer.address);
    const config = {
      policy: `${dir}/policy`,
      rewardModel: `${dir}/reward`,
      prompts: [`${dir}/prompts.jsonl`],
      updates: 2,
      promptsPerUpdate: 3,
      epochs: 1,
      maxNewTokens: 6,
      engine: "cpu",
    };
    const run = { runId: "r1", stage: "ppo", config, resume: false, overwrite: false, runDir: "" };
    await client.createRun(run);
    let numUpdates = 0;
    const watching = client.watchRun({ runId: "r1", afterSequence: 0n }, { timeoutMs: 150_000 });
    for await (const { event } of watching) {
      if (event?.$case === "metrics" && event.value?.["kind"] === "update") numUpdates++;
    }
    const { run: ended } = await client.getRun({ runId: "r1" });
    expect(ended!.error).toBeUndefined();
    expect(ended!.state).toBe(trainer.RunState.SUCCEEDED);
    expect(numUpdates).toBe(2);
    expect((await readFile(`${dir}/runs/r1/model/model.safetensors`)).length).toBeGreaterThan(1000);
    expect((await client.listStages({})).stages.map(({ name }) => name)).toEqual([
      "collect",
      "dpo",
      "evaluate",
      "ppo",
      "pretrain",
      "publish",
      "reward",
      "sft",
    ]);

    await using policyClient = createRpcClient(policy.PolicyServiceClient, policyServer.address);
    expect((await policyClient.getStatus({})).weights!.version).toBe(2);
    await using rewardClient = createRpcClient(reward.RewardServiceClient, rewardServer.address);
    expect((await rewardClient.listModels({})).models[0]!.name).toBe("rm");
    await using workerClient = createRpcClient(rollout.RolloutServiceClient, worker.address);
    expect(await workerClient.getStatus({})).toMatchObject({ numCompleted: 6n, numDead: 0n });

    // SIGTERM in the middle of a run: it is checkpointed, and another process finishes it.
    const longer = { ...config, updates: 6, checkpointEvery: 1 };
    await client.createRun({ ...run, runId: "r2", config: longer });
    await waitFor(
      async () => ((await client.getRun({ runId: "r2" })).run!.progress?.done ?? 0) >= 2,
      { timeoutMs: 40_000 },
    );
    await trainerServer.kill("SIGTERM");
    expect(await trainerServer.exited, trainerServer.output()).toBe(0);
    await using nextTrainer = await startTrainer();
    await using nextClient = createRpcClient(trainer.TrainerServiceClient, nextTrainer.address);
    const { runs } = await nextClient.listRuns({ pageSize: 0, pageToken: "", stage: "ppo" });
    const stateOf = new Map(runs.map(({ runId, state }) => [runId, state]));
    expect(stateOf.get("r1")).toBe(trainer.RunState.SUCCEEDED);
    // It goes on by itself.
    const { PENDING, RUNNING, SUCCEEDED } = trainer.RunState;
    expect([PENDING, RUNNING, SUCCEEDED]).toContain(stateOf.get("r2"));
    const done: number[] = [];
    const again = nextClient.watchRun({ runId: "r2", afterSequence: 0n }, { timeoutMs: 150_000 });
    for await (const { event } of again)
      if (event?.$case === "progress") done.push(event.value.done);
    expect((await nextClient.getRun({ runId: "r2" })).run!.state).toBe(trainer.RunState.SUCCEEDED);
    expect(done[0]).toBeGreaterThan(2);
    expect(done.at(-1)).toBe(6);

    for (const server of [nextTrainer, worker, rewardServer, policyServer]) {
      await server.kill("SIGTERM");
      expect(await server.exited, server.output()).toBe(0);
    }
  }, 240_000); // six processes, on a machine that may have two cores

  it("tells every problem of the configuration and ends with exit code 1", async () => {
    await using server = await startProcess(process.execPath, [
      mainOf("policy"),
      "--max-active",
      "0",
      "--port",
      "x",
    ]);
    expect(await server.exited).toBe(1);
    for (const field of ["maxActive", "port", "modelDir", "weightsDir"]) {
      expect(server.output()).toContain(field);
    }
  });
});

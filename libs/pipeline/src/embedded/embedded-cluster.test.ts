import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { sha256OfTensors } from "@stagecraft/checkpoint";
import { policy, reward, rollout } from "@stagecraft/contracts";
import { StagecraftError, type JsonObject } from "@stagecraft/core";
import { writeJsonl } from "@stagecraft/data";
import { silentReporter, type StageContext, type StageProgress } from "@stagecraft/runs";
import { createModel, generate, loadModel, presetConfig, saveModel } from "@stagecraft/model";
import { oneAnswer, ppoSchema, runPpo, type PpoConfig, type Samplers } from "@stagecraft/ppo";
import { createRpcClient } from "@stagecraft/rpc";
import { initEngine } from "@stagecraft/tensor";
import { tempDir } from "@stagecraft/testing";
import { loadTokenizer, trainCharTokenizer } from "@stagecraft/tokenizer";
import { beforeAll, describe, expect, it } from "vitest";
import { createEmbeddedCluster } from "./embedded-cluster.js";

beforeAll(async () => {
  await initEngine({ engine: "cpu", numThreads: 1 });
});

interface World {
  dir: string;
  config: PpoConfig;
  contextOf(name: string, change?: Partial<StageContext>): StageContext;
}

/** Tiny random models that share a tokenizer, six prompts, and a config of three updates. */
async function withWorld(body: (world: World) => Promise<void>): Promise<void> {
  await using directory = await tempDir();
  const dir = directory.path;
  const tokenizer = await trainCharTokenizer(["abcdefghijklmnopqrstuvwxyz .?"]);
  const sizes = { hiddenSize: 8, numLayers: 1, numHeads: 2, maxPositions: 40 };
  const config = presetConfig("llama", { vocabSize: tokenizer.vocabSize, ...sizes });
  const tokenizerFiles = tokenizer.files();
  for (const [name, seed, heads] of [
    ["policy", 1, ["lm"]],
    ["reward", 2, ["score"]],
  ] as const) {
    const model = createModel(config, { seed, heads });
    await saveModel(join(dir, name), model, { tokenizerFiles });
    model.dispose();
  }
  const prompts = ["hi", "who?", "a cat", "what is up?", "tell me.", "why"].map((content, i) => ({
    id: `p${i}`,
    messages: [{ role: "user", content }],
  }));
  await writeJsonl(join(dir, "prompts.jsonl"), prompts);
  await body({
    dir,
    config: ppoSchema.parse({
      policy: join(dir, "policy"),
      rewardModel: join(dir, "reward"),
      prompts: [join(dir, "prompts.jsonl")],
      evalPrompts: [join(dir, "prompts.jsonl")],
      updates: 3,
      promptsPerUpdate: 6,
      samplesPerPrompt: 2,
      maxNewTokens: 6,
      epochs: 2,
      learningRate: 1e-3,
      evalEvery: 2,
      selectModel: "last",
      checkpointEvery: 1,
      engine: "cpu",
      threads: 1,
    }),
    contextOf: (name, change = {}) => ({
      runDir: join(dir, name),
      resume: false,
      signal: new AbortController().signal,
      reporter: silentReporter(),
      ...change,
    }),
  });
}

/** Samplers without services: the same models, called directly. */
async function directSamplers(config: PpoConfig): Promise<Samplers> {
  const tokenizer = await loadTokenizer(config.policy);
  const sampler = await loadModel(config.policy, { heads: ["lm"] });
  const judge = await loadModel(config.rewardModel, { heads: ["score"] });
  let published = { version: 0, sha256: "", step: -1 };
  const weights: Samplers["weights"] = {
    store(tensors, step) {
      const { version } = published;
      const stored = { version: version + 1, sha256: sha256OfTensors(tensors), step };
      const announce = () => {
        sampler.load(tensors);
        published = stored;
        return Promise.resolve();
      };
      return Promise.resolve({ ...stored, announce });
    },
  };
  const rollouts: Samplers["rollouts"] = {
    async collect(tasks) {
      const answers = await generate(
        sampler,
        tasks.map((task) => task.promptIds),
        tasks.map((task) => task.sampling),
        { tokenizer },
      );
      return tasks.map((task, i) => {
        const { ids: responseIds, logProbs, finishReason } = answers[i]!;
        const ids = Int32Array.from([...task.promptIds, ...responseIds]);
        const scores = judge.scores(
          { ids, batchSize: 1, length: ids.length },
          Int32Array.of(ids.length - 1),
        );
        return {
          rolloutId: `${task.taskId}/rollout`,
          taskId: task.taskId,
          segments: oneAnswer({
            promptIds: task.promptIds,
            responseIds,
            logProbs,
            weightVersions: Int32Array.from(responseIds, () => published.version),
          }),
          finishReason,
          score: scores.dataSync()[0]!,
          rewardModelVersion: "direct",
          weights: [published],
        };
      });
    },
  };
  return { rollouts, weights };
}

const TIMES = new Set(["tokensPerSecond", "collectMs", "trainMs", "timeMs", "time"]);

/** metrics.jsonl without what a clock says. */
async function metricsOf(runDir: string): Promise<JsonObject[]> {
  const lines = (await readFile(join(runDir, "metrics.jsonl"), "utf8")).trim().split("\n");
  return lines.map((line) => {
    const record = JSON.parse(line) as JsonObject;
    return Object.fromEntries(Object.entries(record).filter(([name]) => !TIMES.has(name)));
  });
}

const weightsOf = (runDir: string) => readFile(join(runDir, "model", "model.safetensors"));

describe("createEmbeddedCluster()", () => {
  it("runs PPO over four services exactly as it runs without them", async () => {
    await withWorld(async ({ dir, config, contextOf }) => {
      const direct = await runPpo(config, contextOf("direct"), await directSamplers(config));
      await using cluster = await createEmbeddedCluster({
        policyModelDir: config.policy,
        rewardModelDir: config.rewardModel,
        runDir: join(dir, "services"),
      });
      const progress: StageProgress[] = [];
      const metrics: JsonObject[] = [];
      const reporter = silentReporter({
        progress: (p) => progress.push(p),
        metrics: (record) => metrics.push(record),
      });
      const result = await cluster.runPpo(config, contextOf("services", { reporter }));
      expect(result.metrics).toEqual(direct.metrics);
      expect(await metricsOf(join(dir, "services"))).toEqual(await metricsOf(join(dir, "direct")));
      expect(
        (await weightsOf(join(dir, "services"))).equals(await weightsOf(join(dir, "direct"))),
      ).toBe(true);
      expect(
        (await weightsOf(join(dir, "services"))).equals(
          await readFile(join(config.policy, "model.safetensors")),
        ),
      ).toBe(false);
      expect(progress.map(({ done }) => done)).toEqual([1, 2, 3]);
      expect(metrics.filter((record) => record["kind"] === "update")).toHaveLength(3);
    });
  });

  it("stops cleanly on the signal and resumes to the same weights", async () => {
    await withWorld(async ({ dir, config, contextOf }) => {
      const open = () =>
        createEmbeddedCluster({
          policyModelDir: config.policy,
          rewardModelDir: config.rewardModel,
          runDir: join(dir, "stopped"),
        });
      const whole = await runPpo(config, contextOf("whole"), await directSamplers(config));
      const controller = new AbortController();
      const reporter = silentReporter({ progress: ({ done }) => done === 1 && controller.abort() });
      {
        await using cluster = await open();
        const stopped = cluster.runPpo(
          config,
          contextOf("stopped", { reporter, signal: controller.signal }),
        );
        await expect(stopped).rejects.toMatchObject({ code: "cancelled" });
      }
      await using cluster = await open();
      const resumed = await cluster.runPpo(config, contextOf("stopped", { resume: true }));
      expect(resumed.metrics).toEqual(whole.metrics);
      expect(
        (await weightsOf(join(dir, "stopped"))).equals(await weightsOf(join(dir, "whole"))),
      ).toBe(true);
    });
  });

  it("samples ahead of training by η = 2, stopped and resumed, and loses no update", async () => {
    await withWorld(async ({ dir, config: base, contextOf }) => {
      const config = { ...base, maxStaleness: 2, updates: 6 };
      const open = () =>
        createEmbeddedCluster({
          policyModelDir: config.policy,
          rewardModelDir: config.rewardModel,
          runDir: join(dir, "ahead"),
        });
      const controller = new AbortController();
      const reporter = silentReporter({ progress: ({ done }) => done === 3 && controller.abort() });
      {
        await using cluster = await open();
        const { signal } = controller;
        const stopped = cluster.runPpo(config, contextOf("ahead", { signal, reporter }));
        await expect(stopped).rejects.toMatchObject({ code: "cancelled" });
      }
      await using cluster = await open();
      await cluster.runPpo(config, contextOf("ahead", { resume: true }));
      const updates = (await metricsOf(join(dir, "ahead"))).filter(({ kind }) => kind === "update");
      expect(updates.map(({ step }) => step)).toEqual([1, 2, 3, 4, 5, 6]);
      for (const { staleness } of updates) expect(staleness).toBeLessThanOrEqual(2);
      expect(Math.max(...updates.map(({ staleness }) => Number(staleness)))).toBeGreaterThan(0);
    });
  });

  it("serves further reward models, which count by PPO's weights", async () => {
    await withWorld(async ({ dir, config: base, contextOf }) => {
      const rewardModels = [`second=${base.rewardModel}`];
      const run = async (name: string, scoreWeights: string[]) => {
        const config = { ...base, updates: 1, missingEos: "keep" as const, scoreWeights };
        await using cluster = await createEmbeddedCluster({
          policyModelDir: config.policy,
          rewardModelDir: config.rewardModel,
          rewardModels,
          runDir: join(dir, name),
        });
        await cluster.runPpo(config, contextOf(name));
        const records = await metricsOf(join(dir, name));
        return records.find(({ kind }) => kind === "update")!;
      };
      const [alone, doubled] = [await run("alone", []), await run("doubled", ["second=1"])];
      expect(alone["score_second"]).toBeCloseTo(Number(alone["score"]), 6);
      expect(doubled["score"]).toBeCloseTo(2 * Number(alone["score"]), 6);
    });
  });

  it("case E: a task that fails for good ends the run at once, with task, prompt and cause", async () => {
    await withWorld(async ({ dir, config, contextOf }) => {
      await using cluster = await createEmbeddedCluster({
        policyModelDir: config.policy,
        rewardModelDir: config.rewardModel,
        runDir: join(dir, "hopeless"),
        extraRewards: [
          {
            score: () => Promise.reject(new StagecraftError("invalid_argument", "too long for me")),
          },
        ],
      });
      const failing = cluster.runPpo({ ...config, evalPrompts: [] }, contextOf("hopeless"));
      await expect(failing).rejects.toThrow(
        /task u000000-0000\d\d cannot be done: prompt "p\d" \(".*"\): \[invalid_argument\] too long for me \(3 tries by embedded\)/,
      );
    });
  });

  it("logs extra scores, serves other clients meanwhile, and passes failures on", async () => {
    await withWorld(async ({ dir, config, contextOf }) => {
      await using cluster = await createEmbeddedCluster({
        policyModelDir: config.policy,
        rewardModelDir: config.rewardModel,
        runDir: join(dir, "extra"),
        extraRewards: [
          {
            score: async ({ ids, messages }) => {
              expect(messages.at(-1)!.role).toBe("assistant");
              return { source: "gold", version: "1", value: ids.length };
            },
          },
        ],
      });
      const metrics: JsonObject[] = [];
      const reporter = silentReporter({ metrics: (record) => metrics.push(record) });
      await cluster.runPpo({ ...config, updates: 1 }, contextOf("extra", { reporter }));
      const update = metrics.find((record) => record["kind"] === "update");
      expect(update!["score_gold"]).toBeGreaterThan(5);

      const { policy: policyAddress, rewardModel, rollout: rolloutAddress } = cluster.addresses;
      await using policyClient = createRpcClient(policy.PolicyServiceClient, policyAddress);
      await using rewardClient = createRpcClient(reward.RewardServiceClient, rewardModel);
      await using rolloutClient = createRpcClient(rollout.RolloutServiceClient, rolloutAddress);
      expect((await policyClient.getStatus({})).weights!.version).toBeGreaterThan(0);
      expect((await rewardClient.listModels({})).models).toHaveLength(1);
      expect(Number((await rolloutClient.getStatus({})).numCompleted)).toBeGreaterThanOrEqual(12);

      const missing = { ...config, prompts: [join(dir, "nowhere.jsonl")] };
      const failing = cluster.runPpo(missing, contextOf("failing"));
      await expect(failing).rejects.toMatchObject({ code: "not_found" });
      await expect(failing).rejects.toBeInstanceOf(StagecraftError);
      const outside = cluster.runPpo(config, { ...contextOf("x"), runDir: "/somewhere/else" });
      await expect(outside).rejects.toMatchObject({ code: "invalid_argument" });
    });
  });
});

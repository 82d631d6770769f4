import { mkdtemp, readFile, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { openCheckpoints, type TensorMap } from "@stagecraft/checkpoint";
import type { JsonObject } from "@stagecraft/core";
import { silentReporter, type StageContext } from "@stagecraft/runs";
import { loadModel, type Model } from "@stagecraft/model";
import { initEngine, tf } from "@stagecraft/tensor";
import type { Tokenizer } from "@stagecraft/tokenizer";
import {
  createModelSamplers,
  writePpoWorld,
  type ModelSamplersOptions,
} from "../../test/model-samplers.js";
import { ppoSchema } from "./config.js";
import type { InspectedRollout } from "../rollouts/inspect.js";
import type { RolloutSample } from "../rollouts/rollout-source.js";
import { oneAnswer } from "../rollouts/segments.js";
import { updateOfTask } from "../rollouts/prompt-tasks.js";
import { runPpo } from "./run-ppo.js";

let dir: string;
let tokenizer: Tokenizer;
let sampler: Model;
/** The policy's weights at the start. */
let sampler0: TensorMap;
beforeAll(() => initEngine({ numThreads: 1 }));
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), "stagecraft-ppo-"));
  tokenizer = await writePpoWorld(dir);
  sampler = await loadModel(join(dir, "policy"));
  sampler0 = sampler.tensors();
});
afterEach(async () => {
  sampler.dispose();
  await rm(dir, { recursive: true, force: true });
});

/** Raters of this test like the letter a. */
const score = (answer: string) => answer.split("a").length - 1;

interface RunOptions {
  config?: object;
  samplers?: Partial<ModelSamplersOptions>;
  resume?: boolean;
  signal?: AbortSignal;
  onUpdate?(update: number): void;
  onPhase?: StageContext["onPhase"];
  warnings?: string[];
}

function run(name: string, options: RunOptions = {}) {
  const config = ppoSchema.parse({
    policy: join(dir, "policy"),
    rewardModel: join(dir, "reward"),
    prompts: [join(dir, "prompts.jsonl")],
    updates: 4,
    promptsPerUpdate: 16,
    maxNewTokens: 8,
    missingEos: "keep",
    learningRate: 1e-2,
    klCoef: 0.01,
    epochs: 2,
    minibatches: 2,
    checkpointEvery: 2,
    ...options.config,
  });
  const samplers = createModelSamplers({ shape: sampler, tokenizer, score, ...options.samplers });
  const result = runPpo(
    config,
    {
      runDir: join(dir, name),
      resume: options.resume ?? false,
      signal: options.signal ?? new AbortController().signal,
      ...(options.onPhase ? { onPhase: options.onPhase } : {}),
      reporter: silentReporter({
        progress: ({ done }) => options.onUpdate?.(done),
        warn: (message) => options.warnings?.push(message),
      }),
    },
    samplers,
  );
  return { samplers, result };
}

async function weights(name: string): Promise<number[]> {
  const model = await loadModel(join(dir, name, "model"));
  const values = [...model.tensors().values()].flatMap(({ data }) => [...(data as Float32Array)]);
  model.dispose();
  return values;
}

const records = async (name: string) =>
  (await readFile(join(dir, name, "metrics.jsonl"), "utf8"))
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line) as Record<string, number> & { kind: string });

describe("runPpo()", () => {
  for (const [estimator, more] of [
    ["gae", {}],
    ["rloo", { promptsPerUpdate: 4, samplesPerPrompt: 4 }],
    ["grpo", { promptsPerUpdate: 4, samplesPerPrompt: 4, klMode: "loss" }],
    ["gae", { critic: "shared" }],
  ] as const) {
    it(`${estimator} ${JSON.stringify(more)}: the score rises, with healthy signals`, async () => {
      const before = tf.memory().numTensors;
      const { result } = run("run", { config: { estimator, updates: 14, ...more } });
      const { metrics } = await result;
      expect(tf.memory().numTensors).toBe(before);
      const updates = (await records("run")).filter(({ kind }) => kind === "update");
      expect(updates).toHaveLength(14);
      // A random policy writes an "a" about every seventeenth letter: .4 per answer.
      expect(updates[0]!["score"]).toBeLessThan(1.5);
      expect(metrics["score"]).toBeGreaterThan(updates[0]!["score"]! + 1.5);
      expect(updates[0]!["kl"]).toBeCloseTo(0, 4);
      for (const update of updates) {
        expect(update["samplerLogProbError"]).toBeLessThan(1e-4);
        expect(update["firstRatioError"]).toBeLessThan(1e-3);
        expect(update["score_gold"]).toBe(update["score"]);
      }
    });
  }

  it("tells the parts of its work in order, and what each update learns from", async () => {
    const told: string[] = [];
    const learntFrom = new Set<string>();
    const onPhase: StageContext["onPhase"] = ({ name, rolloutIds }) => {
      told.push(name);
      for (const id of rolloutIds) learntFrom.add(id);
      return () => told.push(`/${name}`);
    };
    await run("run", { config: { updates: 2, evalPrompts: [] }, onPhase }).result;
    const update = ["publish", "/publish", "wait", "/wait", "update", "/update"];
    expect(told).toEqual([...update, ...update, "checkpoint", "/checkpoint"]);
    expect(learntFrom.size).toBe(2 * 16);
  });

  it("uses one temperature in sampler, reference and trainer", async () => {
    for (const temperature of [0.5, 2]) {
      const name = `t${temperature}`;
      await run(name, { config: { temperature, updates: 2 } }).result;
      for (const update of (await records(name)).filter(({ kind }) => kind === "update")) {
        expect(update["samplerLogProbError"]).toBeLessThan(1e-4);
        expect(update["step"] === 1 ? update["kl"] : 0).toBeCloseTo(0, 4);
      }
    }
  });

  it("scores answers without an end as the rule says, others as the reward model did", async () => {
    const rewards = { score: () => 1 };
    for (const [missingEos, value, expected] of [
      ["score", -3, -3],
      ["penalty", 3, -2],
      ["keep", 9, 1],
    ] as const) {
      await run(missingEos, {
        config: { missingEos, missingEosValue: value, updates: 1 },
        samplers: rewards,
      }).result;
      const [update] = await records(missingEos);
      const ended = update!["eosRate"]!;
      expect(ended).toBeLessThan(1);
      expect(update!["score"]).toBeCloseTo(ended + (1 - ended) * expected, 9);
    }
  });

  it("adds other scores by weight and takes λ times the disagreement off", async () => {
    const more = { updates: 1, scoreWeights: ["gold=2"], uncertaintyPenalty: 3 };
    await run("run", {
      config: more,
      samplers: {
        score: () => 1,
        tamper: (samples) =>
          samples.map((s) => ({ ...s, extraScores: { gold: 0.5, "rm.uncertainty": 0.25 } })),
      },
    }).result;
    expect((await records("run"))[0]!["score"]).toBe(1 - 3 * 0.25 + 2 * 0.5);
    const unknown = run("bad", { config: { scoreWeights: ["gold2=1"] } });
    await expect(unknown.result).rejects.toThrow('scoreWeights names "gold2"');
  });

  it("divides scores by the standard deviation stored with the reward model when asked", async () => {
    const config = { normalizeScore: true, updates: 1 };
    await run("run", { config, samplers: { score: () => 1 } }).result;
    expect((await records("run"))[0]!["score"]).toBe(2); // the stored one is .5
  });

  it("resumes a checkpoint from before the loop was shared to the same weights", async () => {
    const config = { evalPrompts: [join(dir, "prompts.jsonl")], evalEvery: 1, selectModel: "best" };
    const whole = await run("whole", { config }).result;
    let calls = 0;
    const onCollect = () => {
      if (++calls === 6) throw new Error("power cut");
    };
    const crashed = run("parts", { config, samplers: { onCollect } });
    await expect(crashed.result).rejects.toThrow("power cut");
    const checkpoints = join(dir, "parts", "checkpoints");
    const { step, tensors, state } = (await openCheckpoints(checkpoints).loadLatest())!;
    const loop = state["loop"] as JsonObject;
    const { step: update, evaluatedStep, best, start, ...same } = loop;
    expect(update).toBe(2);
    const chosen = best as { step: number; value: number };
    const earlier = {
      ...{ ...same, update: step, evaluatedUpdate: evaluatedStep!, startScore: start! },
      best: { update: chosen.step, score: chosen.value },
    };
    await rm(checkpoints, { recursive: true });
    await openCheckpoints(checkpoints).save(step, { tensors, state: { ...state, loop: earlier } });
    const { metrics } = await run("parts", { config, resume: true }).result;
    expect(await weights("parts")).toEqual(await weights("whole"));
    expect(metrics).toEqual(whole.metrics);
  });

  for (const config of [
    {},
    { klTarget: 0.5, klHorizon: 100, oldLogProbs: "trainer", decoupled: true, evalEvery: 1 },
    { ptxCoef: 0.1, ptxBatchSize: 2, criticWarmupUpdates: 1 },
    { critic: "shared", ptxCoef: 0.1, criticWarmupUpdates: 1, emaDecay: 0.9, selectModel: "ema" },
    { loraRank: 2, loraTargets: ["q", "down"], emaDecay: 0.5 },
  ]) {
    it(`stopped or crashed anywhere and resumed, ends bitwise as if never stopped ${JSON.stringify(config)}`, async () => {
      const more = {
        ...config,
        evalPrompts: [join(dir, "prompts.jsonl")],
        ptxCorpus: [join(dir, "prompts.jsonl.txt")],
      };
      const { writeFile } = await import("node:fs/promises");
      await writeFile(more.ptxCorpus[0]!, "abc def. ".repeat(200));
      await run("whole", { config: more }).result;
      const controller = new AbortController();
      const stopped = run("parts", {
        config: more,
        signal: controller.signal,
        onUpdate: (update) => update === 1 && controller.abort(),
      });
      await expect(stopped.result).rejects.toThrow("[cancelled]");
      let calls = 0;
      const crash = {
        onCollect() {
          if (++calls === 3) throw new Error("power cut");
        },
      };
      const crashed = run("parts", { config: more, resume: true, samplers: crash });
      await expect(crashed.result).rejects.toThrow("power cut");
      await run("parts", { config: more, resume: true }).result;
      expect(await weights("parts")).toEqual(await weights("whole"));
      const strip = async (name: string) =>
        (await readFile(join(dir, name, "metrics.jsonl"), "utf8")).replaceAll(
          /"(tokensPerSecond|collectMs|trainMs)":[^,}]+/g,
          "",
        );
      expect(await strip("parts")).toBe(await strip("whole"));
    });
  }

  it("under LoRA trains the adapters alone and exports one plain model", async () => {
    const config = { loraRank: 2, loraTargets: ["q", "down"], updates: 2 };
    await run("run", { config }).result;
    const trained = await loadModel(join(dir, "run", "model"));
    const changed = [...trained.tensors()]
      .filter(([name, { data }]) => String(data) !== String(sampler0.get(name)!.data))
      .map(([name]) => name.split(".").at(-2));
    expect(new Set(changed)).toEqual(new Set(["q_proj", "down_proj"]));
    trained.dispose();
  });

  it("keeps the policy still while a critic on its trunk warms up", async () => {
    const config = { critic: "shared", criticWarmupUpdates: 4, selectModel: "last" };
    await run("run", { config }).result;
    const trained = await loadModel(join(dir, "run", "model"));
    expect(trained.heads).toEqual(["lm"]);
    expect(trained.params.has("value_head.weight")).toBe(false);
    for (const [name, { data }] of trained.tensors()) {
      expect(String(data), name).toBe(String(sampler0.get(name)!.data));
    }
    trained.dispose();
    const updates = (await records("run")).filter(({ kind }) => kind === "update");
    // The head starts at zero, which counts as no critic; then it says something.
    expect(updates[0]!["explainedVariance"]).toBeUndefined();
    expect(updates[3]!["explainedVariance"]).toBeTypeOf("number");
  });

  it("exports the running mean of the weights when asked", async () => {
    const more = { updates: 1, selectModel: "ema", emaDecay: 0.75 };
    await run("last", { config: { updates: 1, selectModel: "last" } }).result;
    await run("mean", { config: more }).result;
    const [last, mean] = [await weights("last"), await weights("mean")];
    const start = [...sampler0.values()].flatMap(({ data }) => [...(data as Float32Array)]);
    mean.forEach((value, i) => expect(value).toBeCloseTo(0.75 * start[i]! + 0.25 * last[i]!, 6));
    expect(mean).not.toEqual(start);
  });

  it("acknowledges rollouts only after the checkpoint that contains them", async () => {
    const { samplers, result } = run("run", {
      config: { checkpointEvery: 2 },
      samplers: { onCollect: (batch) => seen.push([batch, samplersOf().acknowledged.length]) },
    });
    const seen: [number, number][] = [];
    const samplersOf = () => samplers;
    await result;
    expect(seen).toEqual([
      [0, 0],
      [1, 0],
      [2, 32],
      [3, 32],
    ]);
    expect(samplers.acknowledged).toHaveLength(64);
    expect(samplers.published).toEqual([0, 1, 2, 3]);
  });

  it("keeps the best evaluated policy as the result", async () => {
    const config = { evalPrompts: [join(dir, "prompts.jsonl")], evalEvery: 1, evalTemperature: 1 };
    const { metrics } = await run("run", { config }).result;
    const evals = (await records("run")).filter(({ kind }) => kind === "eval");
    expect(evals.map(({ step }) => step)).toEqual([0, 1, 2, 3, 4]);
    expect(metrics["bestScore"]).toBe(Math.max(...evals.map((each) => each["evalScore"]!)));
  });

  it("writes answers with every token's figures that add up", async () => {
    await run("run", { config: { inspectRollouts: 2, klCoef: 0.2 } }).result;
    const files = await readdir(join(dir, "run", "rollouts"));
    expect(files).toHaveLength(4);
    const lines = (await readFile(join(dir, "run", "rollouts", files[3]!), "utf8")).trim();
    for (const line of lines.split("\n")) {
      const rollout = JSON.parse(line) as InspectedRollout;
      const kl = rollout.tokens.reduce((sum, token) => sum + token.kl, 0);
      const reward = rollout.tokens.reduce((sum, token) => sum + token.reward, 0);
      expect(reward).toBeCloseTo(rollout.score - 0.2 * kl, 6);
      expect(rollout.prompt).toContain("<|user|>");
    }
  });

  it("counts updates from 1 in files, progress and metrics alike", async () => {
    const told: number[] = [];
    const onUpdate = (update: number) => void told.push(update);
    await run("run", { config: { updates: 2, inspectRollouts: 1 }, onUpdate }).result;
    const numbers: number[] = [];
    for (const name of (await readdir(join(dir, "run", "rollouts"))).sort()) {
      const text = await readFile(join(dir, "run", "rollouts", name), "utf8");
      const { update } = JSON.parse(text) as InspectedRollout;
      expect(name).toBe(`update-00000${update}.jsonl`);
      numbers.push(update);
    }
    const steps = (await records("run")).filter(({ kind }) => kind === "update");
    expect([numbers, told, steps.map(({ step }) => step)]).toEqual([
      [1, 2],
      [1, 2],
      [1, 2],
    ]);
  });

  for (const [what, tamper, message] of [
    ["stale weights", { weightVersions: Int32Array.of(9) }, "did not load the published weights"],
    ["another model's weights", OTHERS, "(sha256 000000000000), which this run has not published"],
    ["a score that is not a number", { score: NaN }, "its score is NaN"],
    ["an id outside the vocabulary", { responseIds: Int32Array.of(999) }, "outside the vocabulary"],
    ["another prompt", { promptIds: Int32Array.of(1) }, "its prompt is not the task's"],
    ["an answer that is too long", { responseIds: new Int32Array(9) }, "allows 8"],
  ] as const) {
    it(`refuses ${what} and leaves the weights alone`, async () => {
      const { result } = run("run", {
        samplers: {
          tamper: (samples) =>
            samples.map((sample, i) => (i === 5 ? withOneToken(sample, tamper) : sample)),
        },
      });
      await expect(result).rejects.toThrow(message);
    });
  }

  it("never learns twice from one rollout, not even after a resumption", async () => {
    const seen: string[] = [];
    const controller = new AbortController();
    const stopped = run("run", {
      signal: controller.signal,
      onUpdate: () => controller.abort(),
      samplers: {
        tamper: (samples) => {
          seen.push(...samples.map(({ rolloutId }) => rolloutId));
          return samples;
        },
      },
    });
    await expect(stopped.result).rejects.toThrow("[cancelled]");
    const replayed = run("run", {
      resume: true,
      samplers: {
        tamper: (samples) => samples.map((s, i) => (i === 3 ? { ...s, rolloutId: seen[3]! } : s)),
      },
    });
    await expect(replayed.result).rejects.toThrow("no rollout arrived for task u000001-000003");
  });

  it("asynchronous with η = 0 is the synchronous run to the bit", async () => {
    await run("plain", { config: { decoupled: false } }).result;
    await run("eta0", { config: { decoupled: true, maxStaleness: 0 } }).result;
    expect(await weights("eta0")).toEqual(await weights("plain"));
  });

  it("ahead of training by η = 2, crashed and resumed, learns from every task exactly once", async () => {
    const config = { maxStaleness: 2, updates: 6, inspectRollouts: 16 };
    let calls = 0;
    const crash = {
      onCollect() {
        if (++calls === 4) throw new Error("power cut");
      },
    };
    const crashed = run("run", { config, samplers: crash });
    await expect(crashed.result).rejects.toThrow("power cut");
    expect(crashed.samplers.published).toEqual([0, 1, 2, 3]); // the checkpoint is of update 2
    const { samplers, result } = run("run", { config, resume: true });
    await result;
    const learnt: string[] = [];
    for (const file of await readdir(join(dir, "run", "rollouts"))) {
      const lines = (await readFile(join(dir, "run", "rollouts", file), "utf8")).trim().split("\n");
      learnt.push(...lines.map((line) => (JSON.parse(line) as InspectedRollout).rolloutId));
    }
    expect(learnt).toHaveLength(6 * 16);
    expect(new Set(learnt).size).toBe(6 * 16);
    expect(new Set([...crashed.samplers.acknowledged, ...samplers.acknowledged])).toEqual(
      new Set(learnt),
    );
    const updates = (await records("run")).filter(({ kind }) => kind === "update");
    expect(updates.map(({ step }) => step)).toEqual([1, 2, 3, 4, 5, 6]);
    expect(Math.max(...updates.map(({ staleness }) => staleness!))).toBe(2);
    for (const { samplerLogProbError, firstRatioError } of updates) {
      expect(samplerLogProbError).toBeLessThan(1e-4);
      expect(firstRatioError).toBeLessThan(1e-3);
    }
  });

  it("takes answers from before a restart of weights that it had published then", async () => {
    const config = { maxStaleness: 2, updates: 6 };
    const controller = new AbortController();
    const before = new Map<number, RolloutSample[]>();
    const keep = (samples: RolloutSample[]) => {
      before.set(updateOfTask(samples[0]!.taskId), samples);
      return samples;
    };
    const stopped = run("run", {
      config,
      signal: controller.signal,
      onUpdate: (update) => update === 4 && controller.abort(),
      samplers: { tamper: keep },
    });
    await expect(stopped.result).rejects.toThrow("[cancelled]");
    expect([...before.keys()]).toContain(5); // asked for and never learnt from
    const late = (samples: RolloutSample[]) =>
      before.get(updateOfTask(samples[0]!.taskId)) ?? samples;
    await run("run", { config, resume: true, samplers: { tamper: late } }).result;
    const last = (await records("run")).find(({ kind, step }) => kind === "update" && step === 6);
    expect(last!["staleness"]).toBe(2);
  });

  it("warns when the sampler's log-probs are not the trainer's", async () => {
    const warnings: string[] = [];
    await run("run", {
      config: { updates: 1 },
      warnings,
      samplers: {
        tamper: (samples) => samples.map((s) => shifted(s, -0.01)),
      },
    }).result;
    expect(warnings.join("\n")).toContain("sampler and trainer log-probs differ");
    expect(warnings.join("\n")).toContain("What to try");
  });

  it("sounds the alarms of wrong log-probs and of wrong weights, in terminal and metrics", async () => {
    const shift = (samples: RolloutSample[]) => samples.map((s) => shifted(s, -0.5));
    await run("shifted", { config: { updates: 1 }, samplers: { tamper: shift } }).result;
    const codes = (await records("shifted")).map((record) => record["code"]).filter(Boolean);
    expect(codes).toEqual(["negative-kl", "ratio-not-one", "sampler-mismatch"]);

    const warnings: string[] = [];
    const stale = (samples: RolloutSample[]) => samples.map((s) => withOneToken(s, OTHERS));
    const refused = run("stale", { warnings, samplers: { tamper: stale } });
    await expect(refused.result).rejects.toThrow("(sha256 000000000000)");
    const [alarm] = (await records("stale")).filter(({ kind }) => kind === "alarm");
    expect(alarm).toMatchObject({ code: "stale-weights", step: 0 });
    expect(warnings[0]).toMatch(/sampled with weights 9 .*It means: .*What to try: /);
  });

  it("sounds when the gold score falls while the proxy rises", async () => {
    let update = 0;
    const hacking = (samples: RolloutSample[]) => {
      update++;
      return samples.map((s) => ({ ...s, score: update, extraScores: { gold: 10 - update } }));
    };
    await run("run", { config: { updates: 5, learningRate: 1e-4 }, samplers: { tamper: hacking } })
      .result;
    const alarms = (await records("run")).filter(({ kind }) => kind === "alarm");
    expect(alarms).toMatchObject([{ code: "gold-divergence", step: 4 }]);
  });

  it("refuses settings that contradict each other, and models of two tokenizers", async () => {
    const rloo = run("a", { config: { estimator: "rloo", ptxCoef: 1 } });
    await expect(rloo.result).rejects.toThrow(
      /samplesPerPrompt must be at least 2.*ptxCoef > 0 needs ptxCorpus/,
    );
    const { trainCharTokenizer } = await import("@stagecraft/tokenizer");
    const { saveModel } = await import("@stagecraft/model");
    const other = await trainCharTokenizer(
      (async function* () {
        yield await Promise.resolve("abcdefgz .");
      })(),
    );
    await saveModel(join(dir, "other"), sampler, { tokenizerFiles: other.files() });
    const two = run("b", { config: { rewardModel: join(dir, "other") } });
    await expect(two.result).rejects.toThrow("must share one");
    const shared = run("c", {
      config: { critic: "shared", estimator: "grpo", selectModel: "ema" },
    });
    await expect(shared.result).rejects.toThrow(/critic shared needs.*selectModel ema needs/);
  });
});

/** What a sample is changed to. */
type Change = Partial<Parameters<typeof oneAnswer>[0] & Pick<RolloutSample, "weights" | "score">>;

/** Weights that nobody published. */
const OTHERS: Change = {
  weightVersions: Int32Array.of(9),
  weights: [{ version: 9, sha256: "0".repeat(64) }],
};

/** The sample cut to one token, so that replaced arrays have equal lengths. */
function withOneToken(sample: RolloutSample, change: Change): RolloutSample {
  const [prompt, answer] = sample.segments;
  const { promptIds = prompt!.ids, responseIds = answer!.ids.slice(0, 1), ...more } = change;
  const { length } = responseIds;
  const first = answer!.weightVersions[0]!;
  const { weightVersions = new Int32Array(length).fill(first), ...rest } = more;
  const logProbs = new Float32Array(length).fill(-1);
  const segments = oneAnswer({ promptIds, responseIds, logProbs, weightVersions });
  return { ...sample, segments, ...rest };
}

/** The sample with other log-probs. */
function shifted(sample: RolloutSample, by: number): RolloutSample {
  const segments = sample.segments.map((each) => ({
    ...each,
    logProbs: each.logProbs.map((value) => value + by),
  }));
  return { ...sample, segments };
}

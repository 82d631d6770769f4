/**
 * "What goes wrong, and the test that catches it": the mistakes of RLHF that leave no error behind.
 * `node libs/ppo/test/mistakes.mjs` puts each into a copy of the sources and sees its test fail; the
 * table of mistakes and tests is in docs/algorithms/ppo.md.
 */
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createRandom } from "@stagecraft/core";
import { silentReporter } from "@stagecraft/runs";
import { createModel, loadModel, presetConfig, type Model } from "@stagecraft/model";
import { initEngine, type Optimizer, tf, valueAndGrads } from "@stagecraft/tensor";
import type { Tokenizer } from "@stagecraft/tokenizer";
import {
  createModelSamplers,
  writePpoWorld,
  type ModelSamplersOptions,
} from "../test/model-samplers.js";
import { estimateAdvantages, type Estimates, type Experience } from "./batch/experience.js";
import { responseLogProbs, responseValues } from "./batch/forward.js";
import { answerTokens, layoutSequences } from "./batch/layout.js";
import { tokenRewards } from "./math/rewards.js";
import { buildExperience } from "./update/build-experience.js";
import { ppoSchema } from "./stage/config.js";
import { rolloutSignals } from "./stage/signals.js";
import { advantageOptions, experienceOptions, optimizeOptions } from "./stage/loop-options.js";
import { optimize } from "./update/optimize.js";
import type { RolloutSample } from "./rollouts/rollout-source.js";
import { flatten, givenSegment, oneAnswer, type RolloutSegment } from "./rollouts/segments.js";
import { runPpo } from "./stage/run-ppo.js";

const EOS = 9;
const PUBLISHED = [{ version: 1, sha256: "hash", step: 0 }];
const CONFIG = ppoSchema.parse({
  policy: "p",
  rewardModel: "r",
  prompts: ["x"],
  missingEos: "keep",
  epochs: 1,
  learningRate: 1,
  schedule: "constant",
});
const FORWARD = { padId: 0, maxTokens: 1000, temperature: 1 };

let policy: Model;
let critic: Model;
beforeAll(async () => {
  await initEngine({ numThreads: 1 });
  const sizes = { vocabSize: 12, hiddenSize: 16, numLayers: 1, numHeads: 2, maxPositions: 48 };
  policy = createModel(presetConfig("gpt2", sizes), { seed: 1 });
  critic = createModel(presetConfig("llama", sizes), { seed: 2, heads: ["value"] });
  sharpen(policy);
  sharpen(critic);
});
afterAll(() => [policy, critic].forEach((model) => model.dispose()));

/** Large weights, so that every mistake shows. */
function sharpen(model: Model): void {
  const random = createRandom("sharpen");
  for (const variable of model.params.values()) {
    const noise = Float32Array.from(variable.dataSync(), (x) => x + 0.3 * random.nextNormal());
    tf.tidy(() => variable.assign(tf.tensor(noise, variable.shape)));
  }
}

function sampleOf(responseIds: number[]): RolloutSample {
  return {
    rolloutId: responseIds.join("-"),
    taskId: "u000000-000000",
    segments: oneAnswer({
      promptIds: Int32Array.of(1, 2),
      responseIds: Int32Array.from(responseIds),
      logProbs: Float32Array.from(responseIds, (_, t) => -2 - t / 4),
      weightVersions: new Int32Array(responseIds.length).fill(1),
    }),
    finishReason: "eos",
    score: 3,
    rewardModelVersion: "1",
    weights: PUBLISHED,
  };
}

const toExperience = (samples: RolloutSample[]) =>
  buildExperience(
    samples,
    { policy, reference: policy, critic },
    experienceOptions(CONFIG, { endIds: [EOS], update: 0, published: PUBLISHED }),
  );
const SAMPLES = [
  [3, 4, 5, 6, EOS],
  [7, EOS],
  [8, 3, EOS],
  [4, 4, 4, 4, 4, 4],
].map(sampleOf);

/** The gradients of one update, moving nothing. */
async function gradientsOf(
  batch: readonly Experience[],
  given: { estimates?: Estimates; padId?: number; critic?: Model } = {},
) {
  const { estimates, padId = 0 } = given;
  const models = { policy, critic: given.critic ?? critic };
  const grads: Record<string, number[]> = {};
  const recorder = (who: string): Optimizer => ({
    step(given) {
      for (const [name, grad] of given) grads[`${who} ${name}`] = [...grad.dataSync()];
      return { gradNorm: 1 };
    },
    state: () => new Map(),
    load: () => undefined,
    dispose: () => undefined,
  });
  await optimize(
    { ...models, policyOptimizer: recorder("policy"), criticOptimizer: recorder("critic") },
    batch,
    {
      estimates: estimates ?? estimateAdvantages(batch, advantageOptions(CONFIG, 0.1)),
      options: { ...optimizeOptions(CONFIG, { update: 0, klCoef: 0.1 }), padId },
    },
  );
  return grads;
}

/** The critic with values at all rows, PAD too, so that nothing but the loss's weights leaves them out. */
function criticOfAllRows(): Model {
  const values: Model["values"] = (batch) =>
    critic.values({ ...batch, rows: batch.ids.map((_, row) => row) });
  return Object.assign(Object.create(critic) as Model, { values });
}

describe("what goes wrong", () => {
  it("positions: what lies before a sequence in its row moves none of its log-probs", () => {
    const sequence = answerTokens(Int32Array.of(1, 2), Int32Array.of(3, 4, 5));
    const alone = responseLogProbs(policy, [sequence], FORWARD)[0]!;
    for (let k = 1; k <= 6; k++) {
      const before = answerTokens(new Int32Array(k).fill(7), Int32Array.of(6));
      const longest = answerTokens(new Int32Array(16).fill(8), Int32Array.of(6));
      const packed = responseLogProbs(policy, [longest, before, sequence], FORWARD)[2]!;
      packed.forEach((value, t) => expect(Math.abs(value - alone[t]!)).toBeLessThan(1e-5));
    }
  });

  it("PAD: its id moves no gradient by a bit, nor does what follows an EOS", async () => {
    const batch = toExperience(SAMPLES);
    for (const model of [critic, criticOfAllRows()]) {
      const moved = await gradientsOf(batch, { critic: model, padId: 7 });
      expect(moved).toEqual(await gradientsOf(batch, { critic: model }));
    }
    const tails = SAMPLES.map((sample, i) =>
      i === 3 ? sample : sampleOf([...sample.segments[1]!.ids, 5, 5, EOS]),
    );
    const cut = toExperience(tails).map((item, i) => ({ ...item, rolloutId: batch[i]!.rolloutId }));
    expect(cut).toEqual(batch);
  });

  it("score: on the EOS wherever it is, on the last token when there is none", () => {
    for (const [ids, at] of [
      [[EOS, 3, 4, 5], 0],
      [[3, EOS, 4, 5], 1],
      [[3, 4, EOS, 5], 2],
      [[3, 4, 5, EOS], 3],
      [[3, 4, 5, 6], 3],
    ] as const) {
      const [item] = toExperience([sampleOf([...ids])]);
      const { oldLogProbs: logProbs, refLogProbs, score } = item!;
      const rewards = tokenRewards({ logProbs, refLogProbs, score, klCoef: 0.1 });
      const kl = (t: number) => logProbs[t]! - refLogProbs[t]!;
      expect(rewards).toHaveLength(at + 1);
      rewards.forEach((reward, t) =>
        expect(reward).toBeCloseTo(-0.1 * kl(t) + (t === at ? 3 : 0), 9),
      );
    }
  });

  it("returns: from advantages before they are whitened", () => {
    const batch = toExperience(SAMPLES);
    const of = (whitenAdvantages: boolean) =>
      estimateAdvantages(batch, { ...advantageOptions(CONFIG, 0.1), whitenAdvantages });
    expect(of(true).returns).toEqual(of(false).returns);
    const [item, raw] = [batch[0]!, of(false)];
    raw.returns[0]!.forEach((value, t) =>
      expect(value).toBeCloseTo(raw.advantages[0]![t]! + item.values[t]!, 12),
    );
  });

  it("whitening: once, so that twice the advantages are twice the gradient", async () => {
    const batch = toExperience(SAMPLES);
    const { advantages, returns } = estimateAdvantages(batch, advantageOptions(CONFIG, 0.1));
    const doubled = { advantages: advantages.map((row) => row.map((a) => 2 * a)), returns };
    const [one, two] = [
      await gradientsOf(batch, { estimates: { advantages, returns } }),
      await gradientsOf(batch, { estimates: doubled }),
    ];
    for (const [name, values] of Object.entries(one)) {
      if (!name.startsWith("policy")) continue;
      values.forEach((value, i) => expect(Math.abs(two[name]![i]! - 2 * value)).toBeLessThan(1e-6));
    }
  });

  it("dropout: two passes over the same answers agree to the bit", () => {
    const twice = <T>(pass: () => T) => expect(pass()).toEqual(pass());
    const sequences = SAMPLES.map(({ segments }) => flatten(segments));
    twice(() => responseLogProbs(policy, sequences, FORWARD));
    twice(() => responseValues(critic, sequences, FORWARD));
    twice(() => {
      const layout = layoutSequences(sequences, { padId: 0 });
      return tf.tidy(() => [...policy.logits(layout).dataSync()]);
    });
  });
});

describe("what goes wrong with segments", () => {
  it("an answer in several trained stretches is the same answer, to the bit", async () => {
    const cut = SAMPLES.map((sample) => ({ ...sample, segments: sample.segments.flatMap(halves) }));
    const batch = toExperience(SAMPLES);
    expect(cut[0]!.segments.map(({ trained }) => trained)).toEqual([false, false, true, true]);
    expect(toExperience(cut)).toEqual(batch);
    expect(await gradientsOf(toExperience(cut))).toEqual(await gradientsOf(batch));
  });

  it("tokens that are only read between two turns count nowhere and get no gradient", async () => {
    const read = (...ids: number[]) => givenSegment(Int32Array.from(ids));
    const turn = (...ids: number[]) => sampleOf(ids).segments[1]!;
    const draft = [read(1, 2), turn(3, 4, EOS), read(5, 6), turn(7, EOS), read(8)];
    const logProbs = responseLogProbs(policy, [flatten(draft)], FORWARD)[0]!;
    const told = draft.map((segment, i) => ({
      ...segment,
      logProbs: i === 1 ? logProbs.slice(0, 3) : i === 3 ? logProbs.slice(3) : segment.logProbs,
    }));
    const batch = toExperience([{ ...SAMPLES[0]!, segments: told }]);
    const { trained, refLogProbs, values, staleness, hasEos } = batch[0]!;
    expect([...trained]).toEqual([2, 3, 4, 7, 8]);
    expect([refLogProbs, values, staleness].map(({ length }) => length)).toEqual([5, 5, 5]);
    expect(hasEos).toBe(true);
    const rewarded = estimateAdvantages(batch, advantageOptions(CONFIG, 0.1));
    expect(rolloutSignals(batch, rewarded, 0.1)).toMatchObject({ numTokens: 5, responseLength: 5 });

    const advantages = [1, -2, 3, -4, 5];
    const estimates = {
      advantages: [Float64Array.from(advantages)],
      returns: [new Float64Array(5)],
    };
    const grads = await gradientsOf(batch, { estimates });
    // ρ = 1, so the gradient is −Σ A_t ∇log π(y_t) / 5, here written down for the whole sequence.
    const ids = [1, 2, 3, 4, EOS, 5, 6, 7, EOS];
    const weights = [0, -1, 2, -3, 0, 0, 4, -5].map((value) => value / 5);
    const text = { ids: Int32Array.from(ids.slice(0, -1)), targets: Int32Array.from(ids.slice(1)) };
    const { value, grads: expected } = valueAndGrads(policy.params, () =>
      tf.sum<tf.Scalar>(
        tf.mul(
          policy.logProbs({ ...text, batchSize: 1, length: 8 }).logProbs,
          tf.tensor1d(weights),
        ),
      ),
    );
    for (const [name, grad] of expected) {
      grad.dataSync().forEach((g, i) => expect(grads[`policy ${name}`]![i]).toBeCloseTo(g, 5));
    }
    tf.dispose([value, ...expected.values()]);
  });
});

/** A segment as two of its kind. */
function halves(segment: RolloutSegment): RolloutSegment[] {
  const part = (from: number, to?: number): RolloutSegment => ({
    trained: segment.trained,
    ids: segment.ids.slice(from, to),
    logProbs: segment.logProbs.slice(from, to),
    weightVersions: segment.weightVersions.slice(from, to),
  });
  return [part(0, 1), part(1)];
}

describe("what goes wrong in a run", () => {
  let dir: string;
  let tokenizer: Tokenizer;
  let sampler: Model;
  beforeAll(async () => {
    dir = await mkdtemp(join(tmpdir(), "stagecraft-ppo-"));
    tokenizer = await writePpoWorld(dir);
    sampler = await loadModel(join(dir, "policy"));
  });
  afterAll(async () => {
    sampler.dispose();
    await rm(dir, { recursive: true, force: true });
  });

  /** Alarm codes of a run of a few updates. */
  async function run(name: string, samplers: Partial<ModelSamplersOptions>): Promise<string[]> {
    const config = ppoSchema.parse({
      policy: join(dir, "policy"),
      rewardModel: join(dir, "reward"),
      prompts: [join(dir, "prompts.jsonl")],
      updates: 3,
      promptsPerUpdate: 16,
      maxNewTokens: 8,
      missingEos: "keep",
      learningRate: 1e-2,
      checkpointEvery: 0,
    });
    const context = {
      runDir: join(dir, name),
      resume: false,
      signal: new AbortController().signal,
      reporter: silentReporter(),
    };
    const score = (answer: string) => answer.split("a").length - 1;
    await runPpo(
      config,
      context,
      createModelSamplers({ shape: sampler, tokenizer, score, ...samplers }),
    );
    const lines = (await readFile(join(dir, name, "metrics.jsonl"), "utf8")).trim().split("\n");
    return lines.flatMap((line) => (JSON.parse(line) as { code?: string }).code ?? []);
  }

  it("a reward model that pays for length sounds an alarm", async () => {
    const byLength = (samples: RolloutSample[]) =>
      samples.map((sample) => ({ ...sample, score: sample.segments[1]!.ids.length }));
    expect(await run("length", { tamper: byLength })).toContain("length-bias");
    expect(await run("honest", {})).toEqual([]);
  });

  it("weights that do not reach the sampler stop the run", async () => {
    const delivery = (step: number) => (step === 1 ? "missed" : "loaded");
    const undelivered = run("undelivered", { delivery });
    await expect(undelivered).rejects.toThrow("sampler did not load the published weights");
  });

  it("weights that a sampler only claims to have loaded sound alarms", async () => {
    const delivery = (step: number) => (step === 1 ? "claimed" : "loaded");
    expect(await run("claimed", { delivery })).toEqual(
      expect.arrayContaining(["ratio-not-one", "sampler-mismatch"]),
    );
  });
});

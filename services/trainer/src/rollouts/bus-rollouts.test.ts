import {
  acquireLease,
  createMemoryBus,
  ensureTopology,
  deploymentTopology,
  type Consumer,
  type EventBus,
} from "@stagecraft/bus";
import { f32, type TensorMap } from "@stagecraft/checkpoint";
import { common, decodeMessage, events } from "@stagecraft/contracts";
import {
  meanExtraScores,
  oneAnswer,
  rolloutProblem,
  verifyRollouts,
  weightProblem,
  type PromptTask,
  type PublishedWeights,
  type RolloutSample,
  type RolloutCheck,
} from "@stagecraft/ppo";
import { tempDir, waitFor } from "@stagecraft/testing";
import {
  openWeightPublisher,
  openWeightStore,
  WEIGHTS_KEY,
  type BusWeightPublisher,
  type WeightStore,
} from "@stagecraft/weights";
import { describe, expect, it } from "vitest";
import { createBusRollouts, type BusRollouts, type BusRolloutsOptions } from "./bus-rollouts.js";

const topology = deploymentTopology("main");
const tensors = new Map([["w", f32([2], Float32Array.from([1, 2]))]]);
const { signal } = new AbortController();
const scores = { scale: 1, uncertaintyPenalty: 0, weights: new Map<string, number>() };
const rules = { vocabSize: 50, maxScore: 100, scores, endIds: [2] };
/** What a run would know of its weights. */
let published: PublishedWeights[] = [];
const problemOf: RolloutCheck = (sample, asked) =>
  rolloutProblem(sample, asked, rules) ?? weightProblem(sample, asked, published);

function task(taskId: string): PromptTask {
  return {
    taskId,
    promptId: "p",
    messages: [{ role: "user", content: "Hi" }],
    promptIds: Int32Array.from([1, 5]),
    sampling: { temperature: 0.7, maxNewTokens: 3, seed: 9 },
    minStep: 0,
    minWeightVersion: 1,
  };
}

const LEASE = { key: "trainer", ttlMs: 60_000 };

type Answer = (task: events.PromptTask) => Partial<events.Rollout> | undefined;

/** A worker of the test's making: answers tasks as `answer` says. */
function startAnswering(
  bus: EventBus,
  consumer: Consumer,
  { subject, answer }: { subject: string; answer: Answer },
) {
  const work = async () => {
    for await (const message of consumer) {
      const asked = decodeMessage(events.PromptTask, message.data, "task");
      const change = answer(asked);
      if (change) {
        const rollout = events.Rollout.fromPartial({ ...goodRollout(asked), ...change });
        const id = `${asked.taskId}/${asked.attempt}`;
        await bus.publish(subject, events.Rollout.encode(rollout).finish(), { id });
      }
      await message.ack();
    }
  };
  void work();
}

function goodRollout({ taskId, runId, prompt, sampling }: events.PromptTask): events.Rollout {
  return events.Rollout.fromPartial({
    rolloutId: `${taskId}/rollout`,
    taskId,
    runId,
    prompt,
    response: { ids: [7, 2] },
    logProbs: [-0.5, -0.25],
    weightVersions: [1, 1],
    finishReason: common.FinishReason.EOS,
    score: sampling!.temperature!,
    scoreParts: [
      { source: "rm", version: "1", value: sampling!.temperature!, weight: 1 },
      { source: "gold", version: "1", value: 3, weight: 0 },
    ],
    weights: [{ version: 1, sha256: hash }],
  });
}

let hash = "";

interface Rig {
  rollouts: BusRollouts;
  weights: BusWeightPublisher;
  bus: EventBus;
}

async function withRollouts(
  answer: Answer,
  body: (rig: Rig) => Promise<void>,
  change: Partial<BusRolloutsOptions> & { store?: WeightStore } = {},
): Promise<void> {
  await using directory = await tempDir();
  await using bus = createMemoryBus();
  const { store = openWeightStore(directory.path), ...more } = change;
  const place = { runId: "run1", bus, topology: change.topology ?? topology };
  await ensureTopology(bus, place.topology);
  const weights = await openWeightPublisher({ ...place, store, keepWeights: 2 });
  const limits = { taskTimeoutMs: 100, maxAttempts: 3 };
  const rollouts = await createBusRollouts({ ...place, weights, ...limits, ...more });
  published = [];
  await publish(weights, tensors, 0);
  const { promptsConsumer, subjects } = place.topology;
  const subject = subjects.rollouts;
  startAnswering(bus, await bus.consume(promptsConsumer), { subject, answer });
  await body({ rollouts, weights, bus });
  await rollouts.close({ finished: true });
}

/** As PPO does; `hash` is of the newest. */
async function publish(publisher: BusWeightPublisher, values: TensorMap, step: number) {
  const { version, sha256, announce } = await publisher.store(values, step);
  published.push({ version, sha256, step });
  hash = sha256;
  await announce();
}

describe("createBusRollouts()", () => {
  it("collects one sample per task in their order and acknowledges after the commit", async () => {
    await withRollouts(
      () => ({}),
      async ({ rollouts, bus }) => {
        const samples = await rollouts.collect(["a", "b", "c"].map(task), signal, problemOf);
        expect(samples.map((s) => s.taskId)).toEqual(["a", "b", "c"]);
        expect(samples[0]).toEqual({
          rolloutId: "a/rollout",
          taskId: "a",
          segments: oneAnswer({
            promptIds: Int32Array.from([1, 5]),
            responseIds: Int32Array.from([7, 2]),
            logProbs: Float32Array.from([-0.5, -0.25]),
            weightVersions: Int32Array.from([1, 1]),
          }),
          finishReason: "eos",
          score: 0.7,
          rewardModelVersion: "rm@1",
          weights: [{ version: 1, sha256: hash }],
          extraScores: { gold: 3 },
        });
        expect((await bus.consumerInfo(topology.rolloutsConsumer)).ackPending).toBe(3);
        await rollouts.acknowledge(samples.map((s) => s.rolloutId));
        expect((await bus.consumerInfo(topology.rolloutsConsumer)).ackPending).toBe(0);
      },
    );
  });

  it("takes a conversation of several segments", async () => {
    const turn = { tokens: { ids: [7, 2] }, trained: true, weightVersions: [1, 1] };
    const between = { tokens: { ids: [9] }, trained: false, logProbs: [], weightVersions: [] };
    const several = (asked: events.PromptTask) => ({
      ...{ prompt: undefined, response: undefined, logProbs: [], weightVersions: [] },
      segments: [
        { ...between, tokens: asked.prompt },
        { ...turn, logProbs: [-0.5, -0.25] },
        between,
        { ...turn, logProbs: [-1, -2] },
      ],
    });
    await withRollouts(several, async ({ rollouts }) => {
      const [sample] = await rollouts.collect([task("a")], signal, problemOf);
      expect(sample!.segments.map(({ trained }) => trained)).toEqual([false, true, false, true]);
      expect(sample!.segments.map(({ logProbs }) => [...logProbs])).toEqual([
        [],
        [-0.5, -0.25],
        [],
        [-1, -2],
      ]);
    });
  });

  const poison: [string, Partial<events.Rollout>, RegExp][] = [
    ["a NaN", { logProbs: [NaN, -1] }, /log_probs\[0\]/],
    ["unequal lengths", { logProbs: [-1] }, /length of log_probs/],
    ["a wrong hash", { weights: [weights(1, "f".repeat(64))] }, /sha256/],
    ["weights too old", { weightVersions: [0, 1], weights: [weights(0, ""), weights(1, "")] }, /./],
    ["weights never published", { weightVersions: [1, 9], weights: [weights(9, "")] }, /./],
    ["another prompt", { prompt: { ids: [1, 6] } }, /prompt/],
    ["too many tokens", { response: { ids: [3, 3, 3, 3] } }, /./],
    [
      "an id outside the vocabulary",
      { response: { ids: [50, 2] } },
      /outside the vocabulary of 50/,
    ],
    ["a log-prob above the tolerance", { logProbs: [0.0011, -1] }, /log_probs\[0\]/],
    ["a log-prob that nobody can draw", { logProbs: [-3e38, -1] }, /log_probs\[0\]/],
    ["a score beyond float32", scored(1e300), /score/],
    ["a score that float32 can hold", scored(3e38), /the limit is 100/],
    ["a score that its parts do not make", { score: 0.5 }, /weighted sum/],
    ["an extra score beyond the limit", scored(1, 1e9), /the limit is 100/],
    ["the id of another task's rollout", { rolloutId: "b/rollout" }, /not made from its task/],
  ];
  for (const [name, change, reason] of poison) {
    it(`dead-letters a rollout with ${name} and asks again`, async () => {
      await withRollouts(
        ({ attempt }) => (attempt === 1 ? change : {}),
        async ({ rollouts, bus }) => {
          const [sample] = await rollouts.collect([task("a")], signal, problemOf);
          expect(sample!.score).toBe(0.7);
          const dead = await bus.deadLetters.list();
          expect(dead.map((d) => d.reason)).toEqual([expect.stringMatching(reason)]);
        },
      );
    });
  }

  it("hands over what it lets through to an optimizer that takes it, whatever a score is called", async () => {
    const named = ["__proto__", "constructor", "toString"].map((source) => part(source, 0.5, 0));
    await withRollouts(
      () => ({ logProbs: [0.0009, -103], scoreParts: [part("rm", 0.7, 1), ...named] }),
      async ({ rollouts }) => {
        const asked = task("a");
        const samples = await rollouts.collect([asked], signal, problemOf);
        const expected = { published, ...rules, isConsumed: () => false };
        const verified = verifyRollouts([asked], samples, expected);
        expect(meanExtraScores(verified)).toEqual({
          score___proto__: 0.5,
          score_constructor: 0.5,
          score_toString: 0.5,
        });
      },
    );
  });

  it("asks again when nothing comes, and fails after the last attempt", async () => {
    const seen: number[] = [];
    await withRollouts(
      ({ taskId, attempt }) => {
        if (taskId === "late") seen.push(attempt);
        return taskId === "late" && attempt === 2 ? {} : undefined;
      },
      async ({ rollouts }) => {
        await rollouts.collect([task("late")], signal, problemOf);
        expect(seen).toEqual([1, 2]);
        const never = rollouts.collect([task("never")], signal, problemOf);
        await expect(never).rejects.toMatchObject({ code: "deadline_exceeded" });
      },
    );
  });

  it("collects two batches at once, with tokens of every version that the task allows", async () => {
    let older = "";
    await withRollouts(
      ({ taskId }) =>
        taskId === "ahead"
          ? { weightVersions: [1, 2], weights: [weights(1, older), weights(2, hash)] }
          : { weightVersions: [2, 2], weights: [weights(2, hash)] },
      async ({ rollouts, weights: weightsOfRun }) => {
        older = hash;
        const next = new Map([["w", f32([2], Float32Array.from([3, 4]))]]);
        await publish(weightsOfRun, next, 1);
        const ahead = rollouts.collect([task("ahead")], signal, problemOf);
        const now = await rollouts.collect(
          [{ ...task("now"), minStep: 1, minWeightVersion: 2 }],
          signal,
          problemOf,
        );
        expect(now.map(versionsOf)).toEqual([[2, 2]]);
        const [sample] = await ahead;
        expect(versionsOf(sample!)).toEqual([1, 2]);
        expect(sample!.weights.map(({ sha256 }) => sha256)).toEqual([older, hash]);
      },
    );
  });

  it("takes answers of weights from before a restart, which went by another number", async () => {
    const before = "b".repeat(64);
    const answer = { weightVersions: [7, 7], weights: [weights(7, before)] };
    await withRollouts(
      ({ attempt }) => (attempt === 1 ? answer : {}),
      async ({ rollouts, bus }) => {
        published.push({ version: 9, sha256: before, step: 1 }); // as a checkpoint tells
        const [sample] = await rollouts.collect([task("a")], signal, problemOf);
        expect(versionsOf(sample!)).toEqual([7, 7]);
        expect(await bus.deadLetters.list()).toHaveLength(0);
      },
    );
  });

  describe("case E: a task that no worker can answer", () => {
    const failing = ({ attempt, taskId }: events.PromptTask, willRetry: boolean) => ({
      failure: { code: "invalid_argument", reason: `${taskId} is too long`, attempt, willRetry },
      workerId: `w${attempt}`,
    });

    it("ends the run after the last attempt, at once, with task, prompt and cause", async () => {
      const attempts: number[] = [];
      await withRollouts(
        (asked) =>
          asked.taskId === "a" ? {} : (attempts.push(asked.attempt), failing(asked, false)),
        async ({ rollouts, bus }) => {
          const collecting = rollouts.collect(["a", "b"].map(task), signal, problemOf);
          await expect(collecting).rejects.toThrow(
            '[failed_precondition] task b cannot be done: prompt "p" ("Hi"): ' +
              "[invalid_argument] b is too long (3 tries by w1, w2, w3)",
          );
          expect(attempts).toEqual([1, 2, 3]);
          expect(await bus.deadLetters.list()).toEqual([]);
        },
        { taskTimeoutMs: 600_000 },
      );
    });

    it("is asked for again, and an answer of another worker is taken", async () => {
      await withRollouts(
        (asked) => (asked.attempt < 3 ? failing(asked, false) : {}),
        async ({ rollouts }) => {
          const [sample] = await rollouts.collect([task("a")], signal, problemOf);
          expect(sample!.score).toBeCloseTo(0.7);
        },
        { taskTimeoutMs: 600_000 },
      );
    });

    it("is waited for while the worker tries again, and that is said once", async () => {
      const said: string[] = [];
      await withRollouts(
        (asked) => (asked.attempt === 1 ? failing(asked, true) : {}),
        async ({ rollouts }) => {
          expect(await rollouts.collect(["a"].map(task), signal, problemOf)).toHaveLength(1);
        },
        { reporter: { warn: (message) => void said.push(message) } },
      );
      expect(said).toEqual([
        "waiting: worker w1 cannot do task a yet and tries again: [invalid_argument] a is too long",
      ]);
    });
  });

  it("asks for nothing once another trainer has taken over", async () => {
    await withRollouts(
      () => ({}),
      async ({ bus, weights: weightsOfRun }) => {
        const bucket = await bus.keyValue(topology.weightsBucket);
        const first = await acquireLease(bucket, { ...LEASE, holder: "first" });
        const options = { runId: "run1", bus, topology, weights: weightsOfRun };
        const limits = { taskTimeoutMs: 100, maxAttempts: 3 };
        const older = await createBusRollouts({ ...options, ...limits, lease: first });
        const second = await acquireLease(bucket, { ...LEASE, holder: "second", takeOver: true });
        await expect(older.collect([task("z")], signal, problemOf)).rejects.toMatchObject({
          code: "aborted",
        });
        await older.close({ finished: false });
        for (const each of [first, second]) await each.release();
      },
    );
  });

  it("goes on far beyond what its stream can hold", async () => {
    const maxBytes = 8 * 1024;
    const small = deploymentTopology("small", { rolloutsMaxBytes: maxBytes });
    await withRollouts(
      () => ({ promptId: "x".repeat(200) }),
      async ({ rollouts, bus }) => {
        let bytes = 0;
        for (let update = 0; update < 60; update++) {
          const ids = [0, 1, 2].map((i) => `u${String(update).padStart(6, "0")}-00000${i}`);
          const samples = await rollouts.collect(ids.map(task), signal, problemOf);
          bytes += samples.length * 200;
          await rollouts.acknowledge(samples.map(({ rolloutId }) => rolloutId));
        }
        expect(bytes).toBeGreaterThan(4 * maxBytes);
        const { stream } = small.rolloutsConsumer;
        expect((await bus.streamInfo(stream)).bytes).toBeLessThan(maxBytes);
      },
      { topology: small },
    );
  });

  it("settles what comes again of updates that are done with, after a restart too", async () => {
    await withRollouts(
      () => ({}),
      async ({ rollouts, bus }) => {
        const replay = (taskId: string, id: string) => {
          const asked = events.PromptTask.fromPartial({
            taskId,
            runId: "run1",
            prompt: { ids: [1] },
          });
          const rollout = goodRollout({ ...asked, sampling: { temperature: 1 } } as never);
          const bytes = events.Rollout.encode(rollout).finish();
          return bus.publish(topology.subjects.rollouts, bytes, { id });
        };
        const outstanding = async () => {
          const { pending, ackPending } = await bus.consumerInfo(topology.rolloutsConsumer);
          return pending + ackPending;
        };
        await replay("u000004-000000", "before its time");
        const samples = await rollouts.collect([task("u000005-000000")], signal, problemOf);
        await replay("u000003-000000", "long ago");
        await rollouts.acknowledge(samples.map(({ rolloutId }) => rolloutId));
        await replay("u000005-000000", "just now");
        await waitFor(async () => (await outstanding()) === 0);
        expect(await bus.deadLetters.list()).toHaveLength(0);
      },
    );
  });

  it("stops waiting when the run is stopped", async () => {
    const controller = new AbortController();
    await withRollouts(
      () => undefined,
      async ({ rollouts }) => {
        const collecting = rollouts.collect([task("a")], controller.signal, problemOf);
        controller.abort();
        await expect(collecting).rejects.toMatchObject({ code: "cancelled" });
      },
    );
  });

  it("gives a rollout from before a restart to whoever asks for its task, if it fits", async () => {
    await withRollouts(
      ({ attempt }) => (attempt === 2 ? {} : undefined),
      async ({ rollouts, bus }) => {
        for (const [taskId, lastId] of [
          ["a", 5],
          ["b", 6],
        ] as const) {
          const early = events.PromptTask.fromPartial({
            taskId,
            runId: "run1",
            prompt: { ids: [1, lastId] },
            sampling: { temperature: 0.25 },
          });
          const bytes = events.Rollout.encode(goodRollout(early)).finish();
          await bus.publish(topology.subjects.rollouts, bytes, { id: `early-${taskId}` });
        }
        await waitFor(
          async () => (await bus.consumerInfo(topology.rolloutsConsumer)).pending === 0,
        );
        const samples = await rollouts.collect([task("a"), task("b")], signal, problemOf);
        expect(samples.map(({ score }) => score)).toEqual([0.25, 0.7]);
        expect(await bus.deadLetters.list()).toHaveLength(1);
      },
    );
  });

  it("says the weights again where the broker has lost the word, and asks the tasks again", async () => {
    let asked = 0;
    await withRollouts(
      () => (++asked > 1 ? {} : undefined), // the first message is lost with the store
      async ({ rollouts, bus }) => {
        const bucket = await bus.keyValue(topology.weightsBucket);
        await bucket.delete(WEIGHTS_KEY);
        await rollouts.collect([task("a")], signal, problemOf);
        expect(await bucket.get(WEIGHTS_KEY)).toBeDefined();
      },
      { stallEveryMs: 5, taskTimeoutMs: 60_000 },
    );
  });

  it("fails for now when the weights are lost too: the run publishes them from its checkpoint", async () => {
    await using directory = await tempDir();
    const store = openWeightStore(directory.path);
    const losing = { ...store, latest: () => Promise.resolve(undefined) };
    await withRollouts(
      () => undefined,
      async ({ rollouts }) => {
        await expect(rollouts.collect([task("a")], signal, problemOf)).rejects.toMatchObject({
          code: "unavailable",
          message: expect.stringContaining("weights 1 are gone") as string,
        });
      },
      { stallEveryMs: 5, taskTimeoutMs: 60_000, store: losing },
    );
  });
});

function versionsOf({ segments }: RolloutSample): number[] {
  return segments.flatMap(({ weightVersions }) => [...weightVersions]);
}

function part(source: string, value: number, weight: number): events.ScorePart {
  return { source, version: "1", value, weight };
}

/** A sum of its one part, and another score beside it. */
function scored(score: number, extra = 0): Partial<events.Rollout> {
  return { score, scoreParts: [part("rm", score, 1), part("gold", extra, 0)] };
}

function weights(version: number, sha256: string): common.WeightVersion {
  return { version, sha256, step: 0n, sizeBytes: 0n };
}

import {
  acquireLease,
  createMemoryBus,
  runTopology,
  type Consumer,
  type EventBus,
} from "@stagecraft/bus";
import { f32 } from "@stagecraft/checkpoint";
import { common, decodeMessage, events, parseWeightsPublished } from "@stagecraft/contracts";
import {
  meanExtraScores,
  rolloutProblem,
  verifyRollouts,
  type PromptTask,
  type RolloutCheck,
} from "@stagecraft/ppo";
import { tempDir, waitFor } from "@stagecraft/testing";
import { openWeightStore, WEIGHTS_KEY } from "@stagecraft/weights";
import { describe, expect, it } from "vitest";
import { createBusPlanes, type BusPlanes, type BusPlanesOptions } from "./bus-planes.js";

const topology = runTopology("main");
const tensors = new Map([["w", f32([2], Float32Array.from([1, 2]))]]);
const { signal } = new AbortController();
const scores = { scale: 1, uncertaintyPenalty: 0, weights: new Map<string, number>() };
const problemOf: RolloutCheck = (sample, asked) =>
  rolloutProblem(sample, asked, { vocabSize: 50, maxScore: 100, scores, endIds: [2] });

function task(taskId: string): PromptTask {
  return {
    taskId,
    promptId: "p",
    messages: [{ role: "user", content: "Hi" }],
    promptIds: Int32Array.from([1, 5]),
    sampling: { temperature: 0.7, maxNewTokens: 3, seed: 9 },
    minWeightVersion: 1,
  };
}

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

async function withPlanes(
  answer: Answer,
  body: (planes: BusPlanes, bus: EventBus) => Promise<void>,
  change: Partial<BusPlanesOptions> = {},
): Promise<void> {
  await using directory = await tempDir();
  await using bus = createMemoryBus();
  const store = openWeightStore(directory.path);
  const planes = await createBusPlanes({
    runId: "run1",
    bus,
    topology,
    store,
    keepWeights: 2,
    taskTimeoutMs: 100,
    maxAttempts: 3,
    ...change,
  });
  ({ sha256: hash } = await planes.publishWeights(1, tensors, 0));
  const { promptsConsumer, subjects } = change.topology ?? topology;
  const subject = subjects.rollouts;
  startAnswering(bus, await bus.consume(promptsConsumer), { subject, answer });
  await body(planes, bus);
  await planes.close({ finished: true });
}

describe("createBusPlanes()", () => {
  it("collects one sample per task in their order and acknowledges after the commit", async () => {
    await withPlanes(
      () => ({}),
      async (planes, bus) => {
        const samples = await planes.collect(["a", "b", "c"].map(task), signal, problemOf);
        expect(samples.map((s) => s.taskId)).toEqual(["a", "b", "c"]);
        expect(samples[0]).toEqual({
          rolloutId: "a/rollout",
          taskId: "a",
          promptIds: Int32Array.from([1, 5]),
          responseIds: Int32Array.from([7, 2]),
          logProbs: Float32Array.from([-0.5, -0.25]),
          weightVersions: Int32Array.from([1, 1]),
          finishReason: "eos",
          score: 0.7,
          rewardModelVersion: "rm@1",
          weightsHash: hash,
          extraScores: { gold: 3 },
        });
        expect((await bus.consumerInfo(topology.rolloutsConsumer)).ackPending).toBe(3);
        await planes.acknowledge(samples.map((s) => s.rolloutId));
        expect((await bus.consumerInfo(topology.rolloutsConsumer)).ackPending).toBe(0);
      },
    );
  });

  it("announces weights and keeps only the newest versions", async () => {
    await withPlanes(
      () => undefined,
      async (planes, bus) => {
        await planes.publishWeights(2, tensors, 5);
        const { sha256 } = await planes.publishWeights(3, tensors, 6);
        const entry = await (await bus.keyValue(topology.weightsBucket)).get(WEIGHTS_KEY);
        const event = decodeMessage(events.WeightsPublished, entry!.value, "weights");
        expect(parseWeightsPublished(event)).toEqual({
          runId: "run1",
          weights: { version: 3, sha256, step: 6 },
        });
      },
    );
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
      await withPlanes(
        ({ attempt }) => (attempt === 1 ? change : {}),
        async (planes, bus) => {
          const [sample] = await planes.collect([task("a")], signal, problemOf);
          expect(sample!.score).toBe(0.7);
          const dead = await bus.deadLetters.list();
          expect(dead.map((d) => d.reason)).toEqual([expect.stringMatching(reason)]);
        },
      );
    });
  }

  it("hands over what it lets through to an optimizer that takes it, whatever a score is called", async () => {
    const named = ["__proto__", "constructor", "toString"].map((source) => part(source, 0.5, 0));
    await withPlanes(
      () => ({ logProbs: [0.0009, -103], scoreParts: [part("rm", 0.7, 1), ...named] }),
      async (planes) => {
        const asked = task("a");
        const samples = await planes.collect([asked], signal, problemOf);
        const weights = { version: 1, hashes: new Map([[1, hash]]), maxStaleness: 0 };
        const rules = { vocabSize: 50, maxScore: 100, scores, endIds: [2] };
        const verified = verifyRollouts([asked], samples, {
          ...weights,
          ...rules,
          isConsumed: () => false,
        });
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
    await withPlanes(
      ({ taskId, attempt }) => {
        if (taskId === "late") seen.push(attempt);
        return taskId === "late" && attempt === 2 ? {} : undefined;
      },
      async (planes) => {
        await planes.collect([task("late")], signal, problemOf);
        expect(seen).toEqual([1, 2]);
        const never = planes.collect([task("never")], signal, problemOf);
        await expect(never).rejects.toMatchObject({ code: "deadline_exceeded" });
      },
    );
  });

  it("collects two batches at once, with tokens of every version that the task allows", async () => {
    let older = "";
    await withPlanes(
      ({ taskId }) =>
        taskId === "ahead"
          ? { weightVersions: [1, 2], weights: [weights(1, older), weights(2, hash)] }
          : { weightVersions: [2, 2], weights: [weights(2, hash)] },
      async (planes) => {
        older = hash;
        const next = new Map([["w", f32([2], Float32Array.from([3, 4]))]]);
        ({ sha256: hash } = await planes.publishWeights(2, next, 1));
        const ahead = planes.collect([task("ahead")], signal, problemOf);
        const now = await planes.collect(
          [{ ...task("now"), minWeightVersion: 2 }],
          signal,
          problemOf,
        );
        expect(now.map(({ weightVersions }) => [...weightVersions])).toEqual([[2, 2]]);
        const [sample] = await ahead;
        expect([...sample!.weightVersions]).toEqual([1, 2]);
        expect(sample!.weightsHash).toBe(hash);
      },
    );
  });

  it("takes answers of weights from before a restart when it is told of them", async () => {
    const before = "b".repeat(64);
    const answer = { weightVersions: [7, 7], weights: [weights(7, before)] };
    await withPlanes(
      ({ attempt }) => (attempt === 1 ? answer : {}),
      async (planes, bus) => {
        planes.recall([{ version: 1, sha256: before }]);
        const [sample] = await planes.collect([task("a")], signal, problemOf);
        expect([...sample!.weightVersions]).toEqual([1, 1]);
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
      await withPlanes(
        (asked) =>
          asked.taskId === "a" ? {} : (attempts.push(asked.attempt), failing(asked, false)),
        async (planes, bus) => {
          const collecting = planes.collect(["a", "b"].map(task), signal, problemOf);
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
      await withPlanes(
        (asked) => (asked.attempt < 3 ? failing(asked, false) : {}),
        async (planes) => {
          const [sample] = await planes.collect([task("a")], signal, problemOf);
          expect(sample!.score).toBeCloseTo(0.7);
        },
        { taskTimeoutMs: 600_000 },
      );
    });

    it("is waited for while the worker tries again, and that is said once", async () => {
      const said: string[] = [];
      await withPlanes(
        (asked) => (asked.attempt === 1 ? failing(asked, true) : {}),
        async (planes) => {
          expect(await planes.collect(["a"].map(task), signal, problemOf)).toHaveLength(1);
        },
        { reporter: { warn: (message) => void said.push(message) } },
      );
      expect(said).toEqual([
        "waiting: worker w1 cannot do task a yet and tries again: [invalid_argument] a is too long",
      ]);
    });
  });

  it("publishes nothing once another trainer has taken over, whatever it was about to do", async () => {
    await withPlanes(
      () => ({}),
      async (_, bus) => {
        const bucket = await bus.keyValue(topology.weightsBucket);
        const key = "trainer";
        const first = await acquireLease(bucket, { key, holder: "first", ttlMs: 60_000 });
        await using directory = await tempDir();
        const store = openWeightStore(directory.path);
        const options = { runId: "run1", bus, topology, store, keepWeights: 2 };
        const limits = { taskTimeoutMs: 100, maxAttempts: 3 };
        const older = await createBusPlanes({ ...options, ...limits, lease: first });
        await older.publishWeights(2, tensors, 1);
        const takeOver = { key, holder: "second", ttlMs: 60_000, takeOver: true };
        const second = await acquireLease(bucket, takeOver);
        const newer = await createBusPlanes({ ...options, ...limits, lease: second });
        const before = await bucket.get(WEIGHTS_KEY);
        // It does not know yet: only the revision keeps it from announcing.
        const others = new Map([["w", f32([2], Float32Array.from([5, 6]))]]);
        const late = older.publishWeights(3, others, 2);
        await expect(late).rejects.toMatchObject({ code: "aborted" });
        expect((await bucket.get(WEIGHTS_KEY))!.revision).toBe(before!.revision);
        await expect(older.collect([task("z")], signal, problemOf)).rejects.toMatchObject({
          code: "aborted",
        });
        await newer.publishWeights(2, tensors, 1);
        for (const each of [older, newer]) await each.close({ finished: false });
        for (const each of [first, second]) await each.release();
      },
    );
  });

  it("goes on far beyond what its stream can hold", async () => {
    const maxBytes = 8 * 1024;
    const small = runTopology("small", { rolloutsMaxBytes: maxBytes });
    await withPlanes(
      () => ({ promptId: "x".repeat(200) }),
      async (planes, bus) => {
        let bytes = 0;
        for (let update = 0; update < 60; update++) {
          const ids = [0, 1, 2].map((i) => `u${String(update).padStart(6, "0")}-00000${i}`);
          const samples = await planes.collect(ids.map(task), signal, problemOf);
          bytes += samples.length * 200;
          await planes.acknowledge(samples.map(({ rolloutId }) => rolloutId));
        }
        expect(bytes).toBeGreaterThan(4 * maxBytes);
        const { stream } = small.rolloutsConsumer;
        expect((await bus.streamInfo(stream)).bytes).toBeLessThan(maxBytes);
      },
      { topology: small },
    );
  });

  it("settles what comes again of updates that are done with, after a restart too", async () => {
    await withPlanes(
      () => ({}),
      async (planes, bus) => {
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
        const samples = await planes.collect([task("u000005-000000")], signal, problemOf);
        await replay("u000003-000000", "long ago");
        await planes.acknowledge(samples.map(({ rolloutId }) => rolloutId));
        await replay("u000005-000000", "just now");
        await waitFor(async () => (await outstanding()) === 0);
        expect(await bus.deadLetters.list()).toHaveLength(0);
      },
    );
  });

  it("stops waiting when the run is stopped", async () => {
    const controller = new AbortController();
    await withPlanes(
      () => undefined,
      async (planes) => {
        const collecting = planes.collect([task("a")], controller.signal, problemOf);
        controller.abort();
        await expect(collecting).rejects.toMatchObject({ code: "cancelled" });
      },
    );
  });

  it("gives a rollout from before a restart to whoever asks for its task, if it fits", async () => {
    await withPlanes(
      ({ attempt }) => (attempt === 2 ? {} : undefined),
      async (planes, bus) => {
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
        const samples = await planes.collect([task("a"), task("b")], signal, problemOf);
        expect(samples.map(({ score }) => score)).toEqual([0.25, 0.7]);
        expect(await bus.deadLetters.list()).toHaveLength(1);
      },
    );
  });

  it("says the weights again where the broker has lost the word, and asks the tasks again", async () => {
    let asked = 0;
    await withPlanes(
      () => (++asked > 1 ? {} : undefined), // the first message is lost with the store
      async (planes, bus) => {
        const bucket = await bus.keyValue(topology.weightsBucket);
        await bucket.delete(WEIGHTS_KEY);
        await planes.collect([task("a")], signal, problemOf);
        expect(await bucket.get(WEIGHTS_KEY)).toBeDefined();
      },
      { stallEveryMs: 5, taskTimeoutMs: 60_000 },
    );
  });

  it("fails for now when the weights are lost too: the run publishes them from its checkpoint", async () => {
    await using directory = await tempDir();
    const store = openWeightStore(directory.path);
    const losing = { ...store, latest: () => Promise.resolve(undefined) };
    await withPlanes(
      () => undefined,
      async (planes) => {
        await expect(planes.collect([task("a")], signal, problemOf)).rejects.toMatchObject({
          code: "unavailable",
          message: expect.stringContaining("weights 1 are gone") as string,
        });
      },
      { stallEveryMs: 5, taskTimeoutMs: 60_000, store: losing },
    );
  });
});

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

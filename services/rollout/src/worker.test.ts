import { createMemoryBus, ensureTopology, type EventBus, type Topology } from "@stagecraft/bus";
import { events, type ParsedPromptTask } from "@stagecraft/contracts";
import { StagecraftError } from "@stagecraft/core";
import { gate, waitFor } from "@stagecraft/testing";
import { describe, expect, it } from "vitest";
import { startWorker, type WorkerOptions } from "./worker.js";

interface Rig {
  bus: EventBus;
  topology: Topology;
  published: string[];
  told: [string, events.TaskFailure][];
  publishTask(taskId: string, change?: Partial<events.PromptTask>): Promise<void>;
  start(process: WorkerOptions["process"], concurrency?: number): ReturnType<typeof startWorker>;
}

async function createRig(): Promise<Rig> {
  const bus = createMemoryBus();
  const topology = await ensureTopology(bus, "test");
  const consumer = await bus.consume(topology.promptsConsumer);
  const published: string[] = [];
  const told: Rig["told"] = [];
  return {
    bus,
    topology,
    published,
    told,
    async publishTask(taskId, change = {}) {
      const task = events.PromptTask.fromPartial({
        taskId,
        runId: "test",
        prompt: { ids: [1, 2] },
        sampling: { maxNewTokens: 4 },
        ...change,
      });
      const bytes = events.PromptTask.encode(task).finish();
      await bus.publish(topology.subjects.prompts, bytes, { id: taskId });
    },
    start: (process, concurrency = 2) =>
      startWorker({
        consumer,
        process,
        concurrency,
        publish: async ({ rolloutId }) => void published.push(rolloutId),
        publishFailure: async ({ taskId }, failure) => void told.push([taskId, failure]),
      }),
  };
}

const answer = async (task: ParsedPromptTask) =>
  events.Rollout.fromPartial({ rolloutId: `${task.taskId}/rollout` });

describe("startWorker()", () => {
  it("publishes one rollout per task and leaves the queue empty", async () => {
    const rig = await createRig();
    await using _ = rig.bus;
    const worker = rig.start(answer);
    for (const id of ["a", "b", "c"]) await rig.publishTask(id);
    await waitFor(() => worker.status().numCompleted === 3);
    expect(rig.published.sort()).toEqual(["a/rollout", "b/rollout", "c/rollout"]);
    await worker.drain();
    expect((await rig.bus.streamInfo(rig.topology.promptsConsumer.stream)).messages).toBe(0);
  });

  it("keeps no more tasks in flight than its concurrency, which can change", async () => {
    const rig = await createRig();
    await using _ = rig.bus;
    const open = gate();
    const worker = rig.start(async (task) => {
      await open.opened;
      return answer(task);
    });
    for (let i = 0; i < 6; i++) await rig.publishTask(`t${i}`);
    await waitFor(() => worker.status().numInFlight === 2);
    expect(worker.setConcurrency(5)).toBe(2);
    await waitFor(() => worker.status().numInFlight === 5);
    open.open();
    await waitFor(() => worker.status().numCompleted === 6);
    await worker.drain();
  });

  it("tries again what may pass and gives up what cannot", async () => {
    const rig = await createRig();
    await using _ = rig.bus;
    let failures = 1;
    const worker = rig.start(async (task) => {
      if (failures-- > 0) throw new StagecraftError("unavailable", "policy is restarting");
      return answer(task);
    });
    await rig.publishTask("bad", { sampling: undefined });
    await rig.publishTask("good");
    await waitFor(() => worker.status().numCompleted === 1);
    expect(worker.status()).toMatchObject({ numRetried: 1, numDead: 1 });
    const dead = await rig.bus.deadLetters.list();
    expect(dead.map(({ id, reason }) => [id, reason])).toEqual([
      ["bad", "[invalid_argument] sampling is missing, must be set"],
    ]);
    await worker.drain();
  });

  it("case E: tells the trainer of a task that it gives up, and why", async () => {
    const rig = await createRig();
    await using _ = rig.bus;
    const worker = rig.start(() => {
      throw new StagecraftError("invalid_argument", "items[0] has 90 tokens, the model reads 64");
    });
    await rig.publishTask("long", { attempt: 2 });
    await waitFor(() => worker.status().numDead === 1);
    const reason = "items[0] has 90 tokens, the model reads 64";
    const failure = { code: "invalid_argument", reason, attempt: 2, willRetry: false };
    expect(rig.told).toEqual([["long", failure]]);
    await worker.drain();
  });

  it("case E: of a server that is away it tells that it tries again", async () => {
    const rig = await createRig();
    await using _ = rig.bus;
    let failures = 3;
    const worker = rig.start(async (task) => {
      if (failures-- > 0) throw new StagecraftError("unavailable", "the reward model is away");
      return answer(task);
    });
    await rig.publishTask("patient", { attempt: 1 });
    await waitFor(() => worker.status().numCompleted === 1);
    const failure = { code: "unavailable", reason: "the reward model is away" };
    expect(rig.told).toEqual([["patient", { ...failure, attempt: 1, willRetry: true }]]);
    await worker.drain();
  });

  it("drains: finishes what it has, takes nothing more", async () => {
    const rig = await createRig();
    await using _ = rig.bus;
    const open = gate();
    const worker = rig.start(async (task) => {
      await open.opened;
      return answer(task);
    }, 1);
    await rig.publishTask("first");
    await waitFor(() => worker.status().numInFlight === 1);
    await rig.publishTask("second");
    const draining = worker.drain();
    expect(worker.status().state).toBe("draining");
    open.open();
    expect(await draining).toEqual({ numFinished: 1 });
    expect(worker.status()).toMatchObject({ state: "drained", numInFlight: 0 });
    expect((await rig.bus.streamInfo(rig.topology.promptsConsumer.stream)).messages).toBe(1);
  });

  it("takes tasks again when it is resumed, however it was drained", async () => {
    const rig = await createRig();
    await using _ = rig.bus;
    const worker = rig.start((task, signal) =>
      signal.aborted ? Promise.reject(new StagecraftError("cancelled", "stop")) : answer(task),
    );
    const consume = () => rig.bus.consume(rig.topology.promptsConsumer);
    expect(await worker.resume(consume)).toEqual({ wasDrained: false });
    for (const how of [undefined, AbortSignal.abort()]) {
      await worker.drain(how);
      const before = worker.status().numCompleted;
      await rig.publishTask(`after ${before}`);
      const both = await Promise.all([worker.resume(consume), worker.resume(consume)]);
      expect(both).toEqual([{ wasDrained: true }, { wasDrained: true }]);
      expect(worker.status().state).toBe("running");
      await waitFor(() => worker.status().numCompleted === before + 1);
    }
    await worker.drain();
  });

  it("gives tasks back when the drain's time is over", async () => {
    const rig = await createRig();
    await using _ = rig.bus;
    const worker = rig.start((_task, signal) => {
      return new Promise((_resolve, reject) => {
        signal.addEventListener("abort", () => reject(new StagecraftError("cancelled", "stop")));
      });
    });
    await rig.publishTask("slow");
    await waitFor(() => worker.status().numInFlight === 1);
    expect(await worker.drain(AbortSignal.abort())).toEqual({ numFinished: 0 });
    const next = await rig.bus.consume(rig.topology.promptsConsumer);
    expect((await next.next())?.id).toBe("slow");
  });
});

import { createMemoryBus, ensureTopology } from "@stagecraft/bus";
import { events, rollout } from "@stagecraft/contracts";
import { createRpcClient, createRpcServer } from "@stagecraft/rpc";
import { waitFor } from "@stagecraft/testing";
import { describe, expect, it } from "vitest";
import { createRolloutService } from "./service.js";
import { startWorker } from "./worker.js";

describe("RolloutService", () => {
  it("tells that a call has drained it, and is undone by another", async () => {
    await using bus = createMemoryBus();
    const { promptsConsumer, subjects } = await ensureTopology(bus, "main");
    const consume = () => bus.consume(promptsConsumer);
    const worker = startWorker({
      consumer: await consume(),
      concurrency: 1,
      process: ({ taskId }) => Promise.resolve(events.Rollout.fromPartial({ taskId })),
      publish: () => Promise.resolve(),
      publishFailure: () => Promise.resolve(),
    });
    const told: (string | undefined)[] = [];
    const onDrained = (problem: string | undefined) => told.push(problem);
    const service = createRolloutService({ worker, workerId: "w", consume, onDrained });
    await using server = createRpcServer();
    service.register(server);
    const { port } = await server.start();
    await using client = createRpcClient(rollout.RolloutServiceClient, `127.0.0.1:${port}`);
    await client.drain({});
    expect((await client.getStatus({})).state).toBe(rollout.WorkerState.DRAINED);
    expect(told).toEqual([expect.stringMatching(/drained by a call at .*Resume undoes it/)]);
    expect(await client.resume({})).toEqual({ wasDrained: true });
    expect((await client.getStatus({})).state).toBe(rollout.WorkerState.RUNNING);
    expect(told.at(-1)).toBeUndefined();
    const task = events.PromptTask.fromPartial({
      ...{ taskId: "t", runId: "r", prompt: { ids: [1] }, sampling: { maxNewTokens: 1 } },
    });
    await bus.publish(subjects.prompts, events.PromptTask.encode(task).finish(), { id: "t" });
    await waitFor(() => worker.status().numCompleted === 1);
    await service.close();
  });
});

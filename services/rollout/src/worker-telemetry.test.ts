import { createMemoryBus, ensureTopology } from "@stagecraft/bus";
import { events } from "@stagecraft/contracts";
import { StagecraftError } from "@stagecraft/core";
import { createLogger, createMetrics, recordSpans } from "@stagecraft/telemetry";
import { waitFor } from "@stagecraft/testing";
import { describe, expect, it } from "vitest";
import { startWorker } from "./worker.js";

const TRACEPARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

async function publishTask(bus: ReturnType<typeof createMemoryBus>, taskId: string) {
  const { subjects } = await ensureTopology(bus, "test");
  const task = events.PromptTask.fromPartial({
    taskId,
    runId: "r1",
    prompt: { ids: [1] },
    sampling: { maxNewTokens: 4 },
    traceparent: TRACEPARENT,
  });
  await bus.publish(subjects.prompts, events.PromptTask.encode(task).finish(), { id: taskId });
}

describe("what a worker tells", () => {
  it("names run, task and rollout in every line about a task, and counts outcomes", async () => {
    await using recorded = recordSpans();
    const lines: string[] = [];
    const destination = { write: (line: string) => lines.push(line) };
    const logger = createLogger({ service: "rollout", level: "debug", destination });
    const metrics = createMetrics({ service: "rollout" });
    await using bus = createMemoryBus();
    const { promptsConsumer } = await ensureTopology(bus, "test");
    let numFailures = 0;
    const worker = startWorker({
      consumer: await bus.consume(promptsConsumer),
      concurrency: 1,
      logger,
      metrics,
      process({ taskId }) {
        if (taskId === "bad") throw new StagecraftError("invalid_argument", "no such prompt");
        if (taskId === "busy" && numFailures++ === 0) {
          throw new StagecraftError("unavailable", "policy is away");
        }
        return Promise.resolve(events.Rollout.fromPartial({ rolloutId: `${taskId}/rollout` }));
      },
      publish: () => Promise.resolve(),
      publishFailure: () => Promise.resolve(),
    });
    for (const taskId of ["good", "bad", "busy"]) await publishTask(bus, taskId);
    await waitFor(() => worker.status().numCompleted === 2 && worker.status().numDead === 1);
    const text = await metrics.text();
    await worker.drain();

    const records = lines.map((line) => JSON.parse(line) as Record<string, string>);
    expect(records.map(({ taskId }) => taskId).sort()).toEqual(["bad", "busy", "busy", "good"]);
    for (const record of records) {
      expect(record).toMatchObject({ runId: "r1", rolloutId: `${record["taskId"]}/rollout` });
    }
    for (const [outcome, value] of Object.entries({ published: 2, retried: 1, failed: 1 })) {
      const line = `stagecraft_rollout_tasks_total{outcome="${outcome}",service="rollout"} ${value}`;
      expect(text).toContain(line);
    }
    const spans = recorded.spans().filter(({ name }) => name === "rollout");
    expect(spans).toHaveLength(4);
    for (const { traceId, parentSpanId } of spans) {
      expect(TRACEPARENT).toBe(`00-${traceId}-${parentSpanId}-01`);
    }
  });
});

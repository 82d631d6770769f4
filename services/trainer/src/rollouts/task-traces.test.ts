import { recordSpans, withSpan, contextFromHeaders } from "@stagecraft/telemetry";
import { describe, expect, it } from "vitest";
import { createTaskTraces } from "./task-traces.js";

describe("createTaskTraces()", () => {
  it("keeps batch, tasks, foreign work, arrivals and the step in one trace", async () => {
    await using recorded = recordSpans();
    const traces = createTaskTraces("r1");
    const batch = traces.openBatch(["t1", "t2"]);
    for (const taskId of ["t1", "t2"]) {
      await withSpan("elsewhere", { parent: traces.contextOf(taskId)! }, ({ headers }) => {
        const { traceparent = "" } = headers();
        traces.arrived({ taskId, rolloutId: `${taskId}/rollout`, traceparent });
        return Promise.resolve();
      });
    }
    batch.end();
    traces.openStep(["t1/rollout", "t2/rollout"]).end();
    const spans = recorded.spans();
    const named = (name: string) => spans.filter((span) => span.name === name);
    expect(new Set(spans.map(({ traceId }) => traceId)).size).toBe(1);
    const [root] = named("ppo batch");
    expect(root!.parentSpanId).toBeUndefined();
    expect(named("prompt task").map(({ parentSpanId }) => parentSpanId)).toEqual([
      root!.spanId,
      root!.spanId,
    ]);
    const arrived = named("rollout arrived");
    expect(arrived.map(({ parentSpanId }) => parentSpanId)).toEqual(
      named("elsewhere").map(({ spanId }) => spanId),
    );
    const [step] = named("optimizer step");
    expect(step!.parentSpanId).toBe(root!.spanId);
    expect(step!.links).toEqual(arrived.map(({ spanId }) => spanId));
    expect(step!.attributes).toMatchObject({ "stagecraft.run.id": "r1" });
  });

  it("gives each batch a trace of its own, and forgets", async () => {
    await using recorded = recordSpans();
    const traces = createTaskTraces("r1");
    for (const taskId of ["t1", "t2"]) {
      const batch = traces.openBatch([taskId]);
      traces.arrived({ taskId, rolloutId: taskId, traceparent: "" });
      batch.end();
      expect(traces.contextOf(taskId)).toBeUndefined();
    }
    traces.forget(["t1"]);
    traces.openStep(["t1", "t2"]).end();
    const spans = recorded.spans();
    const batches = spans.filter(({ name }) => name === "ppo batch");
    expect(new Set(batches.map(({ traceId }) => traceId)).size).toBe(2);
    const step = spans.find(({ name }) => name === "optimizer step")!;
    expect(step.links).toHaveLength(1);
    expect(step.traceId).toBe(batches[1]!.traceId);
  });

  it("hands out ids that travel when nothing is recorded", () => {
    const traces = createTaskTraces("r1");
    traces.openBatch(["t1"]);
    expect(traces.contextOf("t1")).not.toEqual(contextFromHeaders({}));
  });
});

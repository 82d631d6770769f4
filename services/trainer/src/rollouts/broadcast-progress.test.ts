import { createMemoryBus } from "@stagecraft/bus";
import { decodeMessage, events } from "@stagecraft/contracts";
import { silentReporter } from "@stagecraft/runs";
import { describe, expect, it } from "vitest";
import { broadcastProgress } from "./broadcast-progress.js";

describe("broadcastProgress()", () => {
  it("sends progress and metrics to the bus and to the reporter", async () => {
    await using bus = createMemoryBus();
    const subject = "stagecraft.r.progress";
    await using listener = await bus.listen(subject);
    const reported: unknown[] = [];
    const inner = silentReporter({ metrics: (record) => reported.push(record) });
    const reporter = broadcastProgress(inner, { bus, subject, runId: "r" });
    reporter.progress({ stage: "ppo", done: 1, total: 4, unit: "steps" });
    reporter.metrics({ kl: 0.5 });
    const heard: events.Progress[] = [];
    for await (const { data } of listener) {
      heard.push(decodeMessage(events.Progress, data, "progress"));
      if (heard.length === 2) break;
    }
    expect(heard).toMatchObject([
      { runId: "r", stage: "ppo", done: 1, total: 4, metrics: undefined },
      { runId: "r", done: 1, metrics: { kl: 0.5 } },
    ]);
    expect(reported).toEqual([{ kl: 0.5 }]);
  });
});

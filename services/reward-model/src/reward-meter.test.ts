import { createMetrics } from "@stagecraft/telemetry";
import { describe, expect, it } from "vitest";
import { createRewardMeter } from "./reward-meter.js";

describe("createRewardMeter()", () => {
  it("counts items and passes, failed ones as passes only, and tells the queue", async () => {
    const metrics = createMetrics({ service: "reward-model" });
    const meter = createRewardMeter("helpful", metrics, () => 9);
    expect(await meter.time(5, () => "scores")).toBe("scores");
    await expect(meter.time(2, () => Promise.reject(new Error("NaN")))).rejects.toThrow("NaN");
    const text = await metrics.text();
    for (const line of [
      'stagecraft_reward_items_total{model="helpful",service="reward-model"} 5',
      'stagecraft_reward_batch_items_count{service="reward-model"} 2',
      'stagecraft_reward_batch_items_sum{service="reward-model"} 7',
      'stagecraft_reward_queued_items{model="helpful",service="reward-model"} 9',
    ]) {
      expect(text).toContain(line);
    }
    expect(text).toMatch(/stagecraft_busy_seconds_total\{service="reward-model"\} \d/);
  });
});

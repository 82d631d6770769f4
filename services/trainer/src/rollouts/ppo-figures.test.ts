import { createMetrics } from "@stagecraft/telemetry";
import { describe, expect, it } from "vitest";
import { createPpoFigures } from "./ppo-figures.js";

describe("createPpoFigures()", () => {
  it("shows the last update, the parts of the loop and the busy share", async () => {
    const metrics = createMetrics({ service: "trainer" });
    const figures = createPpoFigures(metrics);
    figures.onPhase({ name: "wait", rolloutIds: [] })();
    figures.onPhase({ name: "update", rolloutIds: ["a"] })();
    const update = { kind: "update", step: 7, score: 1.5, kl: 0.25, clipFraction: 0.125 };
    figures.onRecord({ ...update, staleness: 1, policyLoss: -0.5, valueLoss: 2 });
    figures.onRecord({ kind: "eval", step: 8 });
    const text = await metrics.text();
    for (const line of [
      'stagecraft_trainer_step{service="trainer"} 7',
      'stagecraft_trainer_reward{service="trainer"} 1.5',
      'stagecraft_trainer_kl_nats{service="trainer"} 0.25',
      'stagecraft_trainer_clip_fraction{service="trainer"} 0.125',
      'stagecraft_trainer_staleness_versions{service="trainer"} 1',
      'stagecraft_trainer_loss{part="policy",service="trainer"} -0.5',
      'stagecraft_trainer_loss{part="value",service="trainer"} 2',
      'stagecraft_trainer_part_seconds_count{service="trainer",part="wait"} 1',
    ]) {
      expect(text).toContain(line);
    }
    const busy = /stagecraft_busy_seconds_total\{service="trainer"\} (\S+)/.exec(text);
    const update1 = /trainer_part_seconds_sum\{service="trainer",part="update"\} (\S+)/.exec(text);
    expect(Number(busy?.[1])).toBe(Number(update1?.[1]));
  });

  it("does nothing without metrics", () => {
    const figures = createPpoFigures(undefined);
    figures.onPhase({ name: "update", rolloutIds: [] })();
    figures.onRecord({ kind: "update" });
  });
});

import { feedback, health, policy, reward, rollout, trainer } from "@stagecraft/contracts";
import { tempDir } from "@stagecraft/testing";
import { describe, expect, it } from "vitest";
import { fuzz } from "./fuzz.js";
import { messageTargets } from "./message-targets.js";
import { hostileTargets } from "./targets.js";

describe("hostile inputs", () => {
  it("are read or refused by name, whatever they are (npm run test:hostile tries more)", async () => {
    await using dir = await tempDir();
    const targets = await hostileTargets(dir.path);
    const { failures, numRead, numRefused } = await fuzz(targets, {
      count: 3000,
      seed: 1,
      maxMs: Infinity,
    });
    expect(failures.map(({ target, problem }) => `${target} ${problem}`)).toEqual([]);
    expect(Math.min(numRead, numRefused)).toBeGreaterThan(100);
  });

  it("are made for every RPC", () => {
    const services = [
      ...[policy.PolicyServiceService, reward.RewardServiceService, health.HealthService],
      ...[rollout.RolloutServiceService, trainer.TrainerServiceService],
      feedback.FeedbackServiceService,
    ];
    const paths = services.flatMap((service) => Object.values(service).map(({ path }) => path));
    const attacked = messageTargets().flatMap(({ path }) => path ?? []);
    expect(attacked.sort()).toEqual(paths.sort());
  });

  it("that crash a reader are told with seed and input", async () => {
    const bad = {
      name: "bad",
      make: () => Uint8Array.of(1, 2),
      read: () => JSON.parse("{") as unknown,
    };
    const { failures } = await fuzz([bad], { count: 1, seed: 3 });
    expect(failures).toEqual([
      { target: "bad", index: 0, problem: expect.stringContaining("SyntaxError"), input: "AQI=" },
    ]);
  });
});

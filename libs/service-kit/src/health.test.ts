import { createMetrics, silentLogger } from "@stagecraft/telemetry";
import { describe, expect, it } from "vitest";
import { createHealth } from "./health.js";

describe("createHealth()", () => {
  it("serves when no cause speaks against it, and tells the reasons meanwhile", async () => {
    const statuses: Record<string, string> = {};
    const server = {
      setHealth: (service: string, status: string) => void (statuses[service] = status),
    };
    const metrics = createMetrics({ service: "trainer" });
    const health = createHealth({ server, services: ["s"], logger: silentLogger(), metrics });
    health.set("bus", "the broker has lost stream PROMPTS_main");
    health.set("thread", "silent");
    expect(statuses["alive"]).toBe("NOT_SERVING"); // a new start would help
    health.set("thread", undefined);
    expect(statuses).toEqual({ "": "NOT_SERVING", s: "NOT_SERVING", alive: "SERVING" });
    const reasons = async () => (await metrics.text()).match(/^stagecraft_not_serving\{.*$/gm);
    expect(await reasons()).toEqual([
      expect.stringMatching(/reason="the broker has lost stream PROMPTS_main".* 1$/),
    ]);
    health.set("bus", undefined);
    expect(statuses).toEqual({ "": "SERVING", s: "SERVING", alive: "SERVING" });
    expect(await reasons()).toBeNull();
  });
});

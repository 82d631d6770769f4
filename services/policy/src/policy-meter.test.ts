import { createMetrics } from "@stagecraft/telemetry";
import { describe, expect, it } from "vitest";
import type { EngineStatus, SequenceRequest, TokenChunk } from "./engine.js";
import { createPolicyMeter } from "./policy-meter.js";

const chunk = (...tokenIds: number[]) => ({ tokenIds }) as TokenChunk;
const request = (length: number) => ({ promptIds: new Int32Array(length) }) as SequenceRequest;

async function* answer(...chunks: TokenChunk[]) {
  for (const one of chunks) yield await Promise.resolve(one);
}

describe("createPolicyMeter()", () => {
  it("counts tokens as they pass and reads the engine at a scrape", async () => {
    const metrics = createMetrics({ service: "policy" });
    const counts = { numActive: 3, numQueued: 5, numSteps: 10, busyMs: 250 };
    const status = { ...counts, weights: { version: 7 } };
    const meter = createPolicyMeter({ status: () => status as EngineStatus }, metrics);
    const requests = [request(4), request(6)];
    const answers = meter.watch(requests, [answer(chunk(1), chunk(2, 3)), answer(chunk(4))]);
    for (const chunks of answers) for await (const _ of chunks);
    await metrics.text();
    status.numSteps = 12;
    status.busyMs = 500;
    const text = await metrics.text();
    for (const line of [
      'stagecraft_policy_tokens_total{phase="prompt",service="policy"} 10',
      'stagecraft_policy_tokens_total{phase="generated",service="policy"} 4',
      'stagecraft_policy_first_token_seconds_count{service="policy"} 2',
      'stagecraft_policy_active_sequences{service="policy"} 3',
      'stagecraft_policy_queued_sequences{service="policy"} 5',
      'stagecraft_policy_weight_version{service="policy"} 7',
      'stagecraft_policy_steps_total{service="policy"} 12',
      'stagecraft_busy_seconds_total{service="policy"} 0.5',
    ]) {
      expect(text).toContain(line);
    }
  });
});

import { createMemoryBus, ensureTopology } from "@stagecraft/bus";
import { silentLogger } from "@stagecraft/telemetry";
import { waitFor } from "@stagecraft/testing";
import { describe, expect, it } from "vitest";
import { startStallWatch } from "./stall-watch.js";

async function withWatch(
  body: (rig: {
    bus: ReturnType<typeof createMemoryBus>;
    prompts: string;
    setOpen(tasks: number): void;
    numLost(): number;
    numLooks(): number;
    said: string[];
  }) => Promise<void>,
): Promise<void> {
  await using bus = createMemoryBus();
  const topology = await ensureTopology(bus, "stall");
  let open = 0;
  let lost = 0;
  let looks = 0;
  const said: string[] = [];
  const watch = startStallWatch({
    bus: {
      consumerInfo: (spec) => {
        looks++;
        return bus.consumerInfo(spec);
      },
    },
    topology,
    numOpen: () => open,
    onLost: () => lost++,
    onWaiting: (message) => said.push(message),
    everyMs: 5,
    logger: silentLogger(),
  });
  await body({
    bus,
    prompts: topology.subjects.prompts,
    setOpen: (tasks) => (open = tasks),
    numLost: () => lost,
    numLooks: () => looks,
    said,
  });
  watch.close();
}

describe("startStallWatch()", () => {
  it("tells when tasks are open and no queue holds anything", async () => {
    await withWatch(async ({ setOpen, numLost }) => {
      setOpen(3);
      await waitFor(() => numLost() > 0);
    });
  });

  it("case E: says what is waited for, more and more rarely", async () => {
    await withWatch(async ({ bus, prompts, setOpen, numLooks, said }) => {
      await bus.publish(prompts, Uint8Array.of(1), { id: "a" });
      setOpen(1);
      await waitFor(() => said.length === 1);
      expect(said[0]).toContain("1 to come: 1 tasks lie in the queue and no rollout worker takes");
      const before = numLooks();
      await waitFor(() => said.length === 2);
      expect(numLooks() - before).toBeGreaterThanOrEqual(5 * 2);
    });
  });

  it("is silent while a task waits or is in a worker's hands", async () => {
    await withWatch(async ({ bus, prompts, setOpen, numLost, numLooks }) => {
      await bus.publish(prompts, Uint8Array.of(1), { id: "a" });
      setOpen(1);
      await waitFor(() => numLooks() > 6);
      const spec = { stream: "PROMPTS_stall", durable: "rollout-workers" };
      await using consumer = await bus.consume(spec);
      const message = await consumer.next();
      const before = numLooks();
      await waitFor(() => numLooks() > before + 6);
      expect(numLost()).toBe(0);
      await message!.ack();
      await waitFor(() => numLost() > 0);
    });
  });
});

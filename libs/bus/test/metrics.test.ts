import { createMemoryBus, ensureTopology } from "@stagecraft/bus";
import { createMetrics } from "@stagecraft/telemetry";
import { describe, expect, it } from "vitest";

describe("metrics of the bus", () => {
  it("count what is stored, settled, delivered again and given up, by kind of subject", async () => {
    const metrics = createMetrics({ service: "test" });
    await using bus = createMemoryBus({ metrics });
    const { subjects, promptsConsumer } = await ensureTopology(bus, "r");
    for (const id of ["a", "b"]) await bus.publish(subjects.prompts, new Uint8Array(1), { id });
    await using consumer = await bus.consume(promptsConsumer);
    await (await consumer.next())!.nak();
    const [first, second] = [(await consumer.next())!, (await consumer.next())!];
    await first.ack();
    await second.term("unreadable");
    const text = await metrics.text();
    for (const [name, labels, value] of [
      ["published", 'kind="prompts",service="test"', 3], // the dead letter is one
      ["redelivered", 'kind="prompts",service="test"', 1],
      ["settled", 'kind="prompts",outcome="nak",service="test"', 1],
      ["settled", 'kind="prompts",outcome="ack",service="test"', 1],
      ["settled", 'kind="prompts",outcome="term",service="test"', 1],
      ["dead_letters", 'kind="prompts",service="test"', 1],
    ] as const) {
      expect(text).toContain(`stagecraft_bus_${name}_total{${labels}} ${value}`);
    }
  });
});

import { afterAll, beforeAll, describe } from "vitest";
import { ensureTopology, type EventBus } from "@stagecraft/bus";
import { describeConsuming } from "./conformance/consuming.js";
import { describeHandling } from "./conformance/handling.js";
import { setUpWork, type BusKit } from "./conformance/kit.js";
import { describePublishing } from "./conformance/publishing.js";
import { describeState } from "./conformance/state.js";
import { describeTopology } from "./conformance/topology.js";

/** The contract of EventBus; every implementation runs it. One bus for all cases, names differ. */
export function describeBus(name: string, open: () => Promise<EventBus>): void {
  describe(name, () => {
    let bus: EventBus;
    beforeAll(async () => {
      bus = await open();
      await ensureTopology(bus, "shared");
    });
    afterAll(() => bus?.close());
    const kit: BusKit = {
      get bus() {
        return bus;
      },
      setUp: (change = {}) => setUpWork(bus, change),
    };
    describePublishing(kit);
    describeConsuming(kit);
    describeHandling(kit);
    describeState(kit);
    describeTopology(kit);
  });
}

import { describe, expect, it } from "vitest";
import { bytes, takeNext, text, type BusKit } from "./kit.js";

/** What publishers may rely on. */
export function describePublishing(kit: BusKit): void {
  describe("publish()", () => {
    it("stores a message once however often its id comes", async () => {
      const { subject, stream } = await kit.setUp();
      const first = await kit.bus.publish(subject, bytes("a"), { id: "same" });
      const again = await kit.bus.publish(subject, bytes("a"), { id: "same" });
      expect(first.duplicate).toBe(false);
      expect(again).toEqual({ sequence: first.sequence, duplicate: true });
      expect((await kit.bus.streamInfo(stream)).messages).toBe(1);
    });

    it("waits while the stream is full and goes on when there is room", async () => {
      const { subject, spec } = await kit.setUp({ maxMessages: 1 });
      await kit.bus.publish(subject, bytes("1"), { id: "1" });
      let stored = false;
      const second = kit.bus.publish(subject, bytes("2"), { id: "2" }).then(() => (stored = true));
      await using consumer = await kit.bus.consume(spec);
      const message = await takeNext(consumer);
      expect(stored).toBe(false);
      await message.ack();
      await second;
      expect(text((await takeNext(consumer)).data)).toBe("2");
    });

    it("gives up with resource_exhausted when the stream stays full", async () => {
      const { subject } = await kit.setUp({ maxMessages: 1 });
      await kit.bus.publish(subject, bytes("1"), { id: "1" });
      const late = kit.bus.publish(subject, bytes("2"), { id: "2", timeoutMs: 100 });
      await expect(late).rejects.toMatchObject({ code: "resource_exhausted" });
    });

    it("stops on the signal while it waits", async () => {
      const { subject } = await kit.setUp({ maxMessages: 1 });
      await kit.bus.publish(subject, bytes("1"), { id: "1" });
      const stop = new AbortController();
      const waiting = kit.bus.publish(subject, bytes("2"), { id: "2", signal: stop.signal });
      stop.abort();
      await expect(waiting).rejects.toMatchObject({ code: "cancelled" });
    });

    it("drops the oldest where the stream says so", async () => {
      const { subject, stream } = await kit.setUp({
        discard: "old",
        retention: "limits",
        maxMessages: 2,
      });
      for (const id of ["1", "2", "3"]) await kit.bus.publish(subject, bytes(id), { id });
      expect(await kit.bus.streamInfo(stream)).toMatchObject({ messages: 2, firstSequence: 2 });
    });

    it("lets no message erase the others of its stream", async () => {
      const { subject, stream } = await kit.setUp();
      await kit.bus.publish(subject, bytes("honest"), { id: "honest" });
      for (const rollup of ["sub", "all"]) {
        const headers = { "Nats-Rollup": rollup };
        const erasing = kit.bus.publish(subject, bytes("x"), { id: rollup, headers });
        await expect(erasing).rejects.toMatchObject({ code: "failed_precondition" });
      }
      expect(await kit.bus.streamInfo(stream)).toMatchObject({ messages: 1, firstSequence: 1 });
    });

    it("refuses what can never be stored", async () => {
      const { subject } = await kit.setUp();
      const options = { id: "x", timeoutMs: 200 };
      for (const [where, what, id] of [
        ["a b", "x", "id"],
        ["a.*", "x", "id"],
        [subject, "x", ""],
        [subject, "x", "two\nlines"],
      ] as const) {
        await expect(kit.bus.publish(where, bytes(what), { id })).rejects.toMatchObject({
          code: "invalid_argument",
        });
      }
      const large = kit.bus.publish(subject, new Uint8Array(2 * 1024 * 1024), options);
      await expect(large).rejects.toMatchObject({ code: "invalid_argument" });
      const nowhere = kit.bus.publish("stagecraft.nowhere.at-all", bytes("x"), options);
      await expect(nowhere).rejects.toMatchObject({ code: "unavailable" });
    });
  });
}

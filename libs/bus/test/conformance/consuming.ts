import { waitFor } from "@stagecraft/testing";
import { describe, expect, it } from "vitest";
import { handleMessages } from "@stagecraft/bus";
import { bytes, takeNext, text, type BusKit } from "./kit.js";

/** Pull consumers: delivery, settlement, limits, sharing. */
export function describeConsuming(kit: BusKit): void {
  describe("consume()", () => {
    it("delivers in order with id, headers and time", async () => {
      const { subject, spec } = await kit.setUp();
      const before = Date.now();
      await kit.bus.publish(subject, bytes("a"), { id: "a", headers: { "X-Kind": "odd" } });
      await kit.bus.publish(subject, bytes("b"), { id: "b" });
      await using consumer = await kit.bus.consume(spec);
      const a = await takeNext(consumer);
      expect(a).toMatchObject({ subject, id: "a", delivery: 1, sequence: 1 });
      expect(a.headers["X-Kind"]).toBe("odd");
      expect(Math.abs(a.publishedAtMs - before)).toBeLessThan(5000);
      expect((await takeNext(consumer)).id).toBe("b");
    });

    it("removes acked messages from a work queue and keeps them under limits", async () => {
      for (const [retention, left] of [
        ["workqueue", 0],
        ["limits", 1],
      ] as const) {
        const { subject, stream, spec } = await kit.setUp({ retention });
        await kit.bus.publish(subject, bytes("a"), { id: "a" });
        await using consumer = await kit.bus.consume(spec);
        await (await takeNext(consumer)).ack();
        await waitFor(async () => (await kit.bus.streamInfo(stream)).messages === left);
        expect((await kit.bus.consumerInfo(spec)).ackPending).toBe(0);
      }
    });

    it("delivers again after a nak, to anybody", async () => {
      const { subject, spec } = await kit.setUp({ ackWaitMs: 60_000 });
      await kit.bus.publish(subject, bytes("a"), { id: "a" });
      await using one = await kit.bus.consume(spec);
      await (await takeNext(one)).nak();
      await one.close();
      await using two = await kit.bus.consume(spec);
      const again = await takeNext(two);
      expect(again.delivery).toBe(2);
      const nakedAt = performance.now();
      await again.nak(200);
      expect((await takeNext(two)).delivery).toBe(3);
      expect(performance.now() - nakedAt).toBeGreaterThan(190);
    });

    it("delivers again after the ack wait of a worker that says nothing", async () => {
      const { subject, spec } = await kit.setUp({ ackWaitMs: 200 });
      await kit.bus.publish(subject, bytes("a"), { id: "a" });
      await using dead = await kit.bus.consume({ ...spec, keepAlive: false });
      const lost = await takeNext(dead);
      await using alive = await kit.bus.consume(spec);
      const again = await takeNext(alive);
      expect([lost.delivery, again.delivery]).toEqual([1, 2]);
    });

    it("keeps a message while its worker lives", async () => {
      const { subject, spec } = await kit.setUp({ ackWaitMs: 600 });
      await kit.bus.publish(subject, bytes("slow"), { id: "slow" });
      await using slow = await kit.bus.consume(spec);
      const message = await takeNext(slow);
      await using other = await kit.bus.consume(spec);
      const stolen = other.next(); // would get it after the ack wait
      // A control of the same age that nobody keeps alive: when it is back twice, three waits
      // have passed.
      const control = await kit.setUp({ ackWaitMs: 600 });
      await kit.bus.publish(control.subject, bytes("c"), { id: "c" });
      await using silent = await kit.bus.consume({ ...control.spec, keepAlive: false });
      await takeNext(silent);
      await takeNext(silent);
      expect((await takeNext(silent)).delivery).toBe(3);
      expect(other.numHeld()).toBe(0);
      await message.ack();
      await waitFor(async () => (await kit.bus.consumerInfo(spec)).ackPending === 0);
      await other.close();
      expect(await stolen).toBeUndefined();
    });

    it("lets go of a message held too long", async () => {
      const { subject, spec } = await kit.setUp({ ackWaitMs: 150 });
      await kit.bus.publish(subject, bytes("stuck"), { id: "stuck" });
      await using stuck = await kit.bus.consume({ ...spec, maxHoldMs: 100 });
      await takeNext(stuck);
      await using other = await kit.bus.consume(spec);
      expect((await takeNext(other)).delivery).toBe(2);
    });

    it("hands out no more than asked for", async () => {
      const { subject, spec } = await kit.setUp({ ackWaitMs: 60_000 });
      for (let i = 0; i < 20; i++) await kit.bus.publish(subject, bytes(`${i}`), { id: `${i}` });
      await using consumer = await kit.bus.consume({ ...spec, prefetch: 2 });
      await takeNext(consumer);
      await takeNext(consumer);
      await waitFor(() => consumer.numHeld() === 4);
      expect(await kit.bus.consumerInfo(spec)).toMatchObject({ pending: 16, ackPending: 4 });
    });

    it("respects the limit over all workers", async () => {
      const { subject, spec: base } = await kit.setUp({ ackWaitMs: 60_000 });
      const spec = { ...base, maxAckPending: 3 };
      await kit.bus.ensureConsumer(spec);
      for (let i = 0; i < 8; i++) await kit.bus.publish(subject, bytes(`${i}`), { id: `${i}` });
      await using one = await kit.bus.consume({ ...spec, prefetch: 8 });
      await using two = await kit.bus.consume({ ...spec, prefetch: 8 });
      await waitFor(() => one.numHeld() + two.numHeld() === 3);
      expect((await kit.bus.consumerInfo(spec)).ackPending).toBe(3);
    });

    it("returns prefetched messages at once when it closes", async () => {
      const { subject, spec } = await kit.setUp({ ackWaitMs: 60_000 });
      for (let i = 0; i < 4; i++) await kit.bus.publish(subject, bytes(`${i}`), { id: `${i}` });
      const leaving = await kit.bus.consume({ ...spec, prefetch: 4 });
      const kept = await takeNext(leaving);
      await waitFor(() => leaving.numHeld() >= 4);
      await leaving.close();
      expect(await leaving.next()).toBeUndefined();
      await using staying = await kit.bus.consume({ ...spec, prefetch: 4 });
      const ids = new Set<string>();
      for (let i = 0; i < 3; i++) ids.add((await takeNext(staying)).id);
      expect(ids).toEqual(new Set(["1", "2", "3"]));
      await kept.ack(); // still settles after the close
      await waitFor(async () => (await kit.bus.consumerInfo(spec)).ackPending === 3);
    });

    it("ends a waiting next() on close and on the signal", async () => {
      const { spec } = await kit.setUp();
      await using consumer = await kit.bus.consume(spec);
      const stop = new AbortController();
      const waiting = consumer.next(stop.signal);
      stop.abort();
      await expect(waiting).rejects.toMatchObject({ code: "cancelled" });
      const other = consumer.next();
      await consumer.close();
      expect(await other).toBeUndefined();
    });

    it("shares a queue among workers without losing or doubling", async () => {
      const { subject, spec } = await kit.setUp({ ackWaitMs: 60_000 });
      const seen: string[] = [];
      const consumers = await Promise.all([1, 2, 3].map(() => kit.bus.consume(spec)));
      const workers = consumers.map((consumer) =>
        handleMessages({
          consumer,
          concurrency: 4,
          async handle({ id }) {
            seen.push(id);
            await Promise.resolve();
          },
        }),
      );
      const ids = Array.from({ length: 200 }, (_, i) => `m${i}`);
      await Promise.all(ids.map((id) => kit.bus.publish(subject, bytes(id), { id })));
      await waitFor(() => seen.length >= 200);
      await Promise.all(workers.map((worker) => worker.stop()));
      expect(seen.sort()).toEqual([...ids].sort());
    });

    it("fails clearly for a consumer that does not exist", async () => {
      const { spec } = await kit.setUp();
      const open = kit.bus.consume({ ...spec, durable: "nobody" });
      await expect(open).rejects.toMatchObject({ code: "not_found" });
    });

    it("copies data, so that later traffic cannot change it", async () => {
      const { subject, spec } = await kit.setUp({ ackWaitMs: 60_000 });
      for (const id of ["aaaa", "bbbb", "cccc"]) await kit.bus.publish(subject, bytes(id), { id });
      await using consumer = await kit.bus.consume({ ...spec, prefetch: 3 });
      const messages = [
        await takeNext(consumer),
        await takeNext(consumer),
        await takeNext(consumer),
      ];
      expect(messages.map(({ data }) => text(data))).toEqual(["aaaa", "bbbb", "cccc"]);
      for (const { data } of messages) expect(data.byteOffset % 4).toBe(0);
    });
  });

  describe("trimSettled()", () => {
    it("makes room in a full stream that keeps acked messages", async () => {
      const { subject, spec, stream } = await kit.setUp({ retention: "limits", maxMessages: 4 });
      for (const id of ["1", "2", "3", "4"]) await kit.bus.publish(subject, bytes(id), { id });
      await using consumer = await kit.bus.consume({ ...spec, prefetch: 4 });
      const messages = [];
      for (let i = 0; i < 4; i++) messages.push(await takeNext(consumer));
      for (const i of [0, 1, 3]) await messages[i]!.ack();
      await kit.bus.trimSettled(spec, 1);
      // 1 goes; 2 is kept as asked; 3 is not settled, so 4 stays too.
      expect(await kit.bus.streamInfo(stream)).toMatchObject({ messages: 3, firstSequence: 2 });
      await kit.bus.publish(subject, bytes("5"), { id: "5", timeoutMs: 1000 });
    });
  });
}

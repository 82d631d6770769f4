import { randomUUID } from "node:crypto";
import { StagecraftError } from "@stagecraft/core";
import { createLogger } from "@stagecraft/telemetry";
import { gate, waitFor } from "@stagecraft/testing";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import {
  deleteTopology,
  ensureTopology,
  runConsumer,
  runTopology,
  setUpTopology,
  type BusMessage,
  type EventBus,
  type StreamSpec,
  type Topology,
} from "@stagecraft/bus";

const bytes = (text: string) => new TextEncoder().encode(text);
const text = (data: Uint8Array) => new TextDecoder().decode(data);
const SILENT = createLogger({ service: "test", level: "silent" });

/** The contract of EventBus; every implementation runs it. One bus for all cases, names differ. */
export function describeBus(name: string, open: () => Promise<EventBus>): void {
  describe(name, () => {
    let bus: EventBus;
    beforeAll(async () => {
      bus = await open();
      await ensureTopology(bus, "shared");
    });
    afterAll(() => bus?.close());

    /** A stream with one consumer of short ack wait. */
    const setUp = async (change: Partial<StreamSpec> & { ackWaitMs?: number } = {}) => {
      const { ackWaitMs = 300, ...rest } = change;
      const id = randomUUID().slice(0, 8);
      const subject = `stagecraft.${id}.work`;
      const stream = `WORK_${id}`;
      await bus.ensureStream({
        name: stream,
        subjects: [subject],
        retention: "workqueue",
        discard: "new",
        maxBytes: 1024 * 1024,
        ...rest,
      });
      const spec = { stream, durable: "workers", ackWaitMs };
      await bus.ensureConsumer(spec);
      return { subject, stream, spec };
    };
    const take = async (consumer: { next(): Promise<BusMessage | undefined> }) => {
      const message = await consumer.next();
      expect(message).toBeDefined();
      return message!;
    };

    describe("publish()", () => {
      it("stores a message once however often its id comes", async () => {
        const { subject, stream } = await setUp();
        const first = await bus.publish(subject, bytes("a"), { id: "same" });
        const again = await bus.publish(subject, bytes("a"), { id: "same" });
        expect(first.duplicate).toBe(false);
        expect(again).toEqual({ sequence: first.sequence, duplicate: true });
        expect((await bus.streamInfo(stream)).messages).toBe(1);
      });

      it("waits while the stream is full and goes on when there is room", async () => {
        const { subject, spec } = await setUp({ maxMessages: 1 });
        await bus.publish(subject, bytes("1"), { id: "1" });
        let stored = false;
        const second = bus.publish(subject, bytes("2"), { id: "2" }).then(() => (stored = true));
        await using consumer = await bus.consume(spec);
        const message = await take(consumer);
        expect(stored).toBe(false);
        await message.ack();
        await second;
        expect(text((await take(consumer)).data)).toBe("2");
      });

      it("gives up with resource_exhausted when the stream stays full", async () => {
        const { subject } = await setUp({ maxMessages: 1 });
        await bus.publish(subject, bytes("1"), { id: "1" });
        const late = bus.publish(subject, bytes("2"), { id: "2", timeoutMs: 100 });
        await expect(late).rejects.toMatchObject({ code: "resource_exhausted" });
      });

      it("stops on the signal while it waits", async () => {
        const { subject } = await setUp({ maxMessages: 1 });
        await bus.publish(subject, bytes("1"), { id: "1" });
        const stop = new AbortController();
        const waiting = bus.publish(subject, bytes("2"), { id: "2", signal: stop.signal });
        stop.abort();
        await expect(waiting).rejects.toMatchObject({ code: "cancelled" });
      });

      it("drops the oldest where the stream says so", async () => {
        const { subject, stream } = await setUp({
          discard: "old",
          retention: "limits",
          maxMessages: 2,
        });
        for (const id of ["1", "2", "3"]) await bus.publish(subject, bytes(id), { id });
        expect(await bus.streamInfo(stream)).toMatchObject({ messages: 2, firstSequence: 2 });
      });

      it("refuses what can never be stored", async () => {
        const { subject } = await setUp();
        const options = { id: "x", timeoutMs: 200 };
        for (const [where, what, id] of [
          ["a b", "x", "id"],
          ["a.*", "x", "id"],
          [subject, "x", ""],
          [subject, "x", "two\nlines"],
        ] as const) {
          await expect(bus.publish(where, bytes(what), { id })).rejects.toMatchObject({
            code: "invalid_argument",
          });
        }
        const large = bus.publish(subject, new Uint8Array(2 * 1024 * 1024), options);
        await expect(large).rejects.toMatchObject({ code: "invalid_argument" });
        const nowhere = bus.publish("stagecraft.nowhere.at-all", bytes("x"), options);
        await expect(nowhere).rejects.toMatchObject({ code: "unavailable" });
      });
    });

    describe("consume()", () => {
      it("delivers in order with id, headers and time", async () => {
        const { subject, spec } = await setUp();
        const before = Date.now();
        await bus.publish(subject, bytes("a"), { id: "a", headers: { "X-Kind": "odd" } });
        await bus.publish(subject, bytes("b"), { id: "b" });
        await using consumer = await bus.consume(spec);
        const a = await take(consumer);
        expect(a).toMatchObject({ subject, id: "a", delivery: 1, sequence: 1 });
        expect(a.headers["X-Kind"]).toBe("odd");
        expect(Math.abs(a.publishedAtMs - before)).toBeLessThan(5000);
        expect((await take(consumer)).id).toBe("b");
      });

      it("removes acked messages from a work queue and keeps them under limits", async () => {
        for (const [retention, left] of [
          ["workqueue", 0],
          ["limits", 1],
        ] as const) {
          const { subject, stream, spec } = await setUp({ retention });
          await bus.publish(subject, bytes("a"), { id: "a" });
          await using consumer = await bus.consume(spec);
          await (await take(consumer)).ack();
          await waitFor(async () => (await bus.streamInfo(stream)).messages === left);
          expect((await bus.consumerInfo(spec)).ackPending).toBe(0);
        }
      });

      it("delivers again after a nak, to anybody", async () => {
        const { subject, spec } = await setUp({ ackWaitMs: 60_000 });
        await bus.publish(subject, bytes("a"), { id: "a" });
        await using one = await bus.consume(spec);
        await (await take(one)).nak();
        await one.close();
        await using two = await bus.consume(spec);
        const again = await take(two);
        expect(again.delivery).toBe(2);
        const nakedAt = performance.now();
        await again.nak(200);
        expect((await take(two)).delivery).toBe(3);
        expect(performance.now() - nakedAt).toBeGreaterThan(190);
      });

      it("delivers again after the ack wait of a worker that says nothing", async () => {
        const { subject, spec } = await setUp({ ackWaitMs: 200 });
        await bus.publish(subject, bytes("a"), { id: "a" });
        await using dead = await bus.consume({ ...spec, keepAlive: false });
        const lost = await take(dead);
        await using alive = await bus.consume(spec);
        const again = await take(alive);
        expect([lost.delivery, again.delivery]).toEqual([1, 2]);
      });

      it("keeps a message while its worker lives", async () => {
        const { subject, spec } = await setUp({ ackWaitMs: 150 });
        await bus.publish(subject, bytes("slow"), { id: "slow" });
        await using slow = await bus.consume(spec);
        const message = await take(slow);
        await using other = await bus.consume(spec);
        const stolen = other.next(); // would get it after the ack wait
        // A control of the same age that nobody keeps alive: when it is back twice, three waits
        // have passed.
        const control = await setUp({ ackWaitMs: 150 });
        await bus.publish(control.subject, bytes("c"), { id: "c" });
        await using silent = await bus.consume({ ...control.spec, keepAlive: false });
        await take(silent);
        await take(silent);
        expect((await take(silent)).delivery).toBe(3);
        expect(other.numHeld()).toBe(0);
        await message.ack();
        await waitFor(async () => (await bus.consumerInfo(spec)).ackPending === 0);
        await other.close();
        expect(await stolen).toBeUndefined();
      });

      it("lets go of a message held too long", async () => {
        const { subject, spec } = await setUp({ ackWaitMs: 150 });
        await bus.publish(subject, bytes("stuck"), { id: "stuck" });
        await using stuck = await bus.consume({ ...spec, maxHoldMs: 100 });
        await take(stuck);
        await using other = await bus.consume(spec);
        expect((await take(other)).delivery).toBe(2);
      });

      it("hands out no more than asked for", async () => {
        const { subject, spec } = await setUp({ ackWaitMs: 60_000 });
        for (let i = 0; i < 20; i++) await bus.publish(subject, bytes(`${i}`), { id: `${i}` });
        await using consumer = await bus.consume({ ...spec, prefetch: 2 });
        await take(consumer);
        await take(consumer);
        await waitFor(() => consumer.numHeld() === 4);
        expect(await bus.consumerInfo(spec)).toMatchObject({ pending: 16, ackPending: 4 });
      });

      it("respects the limit over all workers", async () => {
        const { subject, spec: base } = await setUp({ ackWaitMs: 60_000 });
        const spec = { ...base, maxAckPending: 3 };
        await bus.ensureConsumer(spec);
        for (let i = 0; i < 8; i++) await bus.publish(subject, bytes(`${i}`), { id: `${i}` });
        await using one = await bus.consume({ ...spec, prefetch: 8 });
        await using two = await bus.consume({ ...spec, prefetch: 8 });
        await waitFor(() => one.numHeld() + two.numHeld() === 3);
        expect((await bus.consumerInfo(spec)).ackPending).toBe(3);
      });

      it("returns prefetched messages at once when it closes", async () => {
        const { subject, spec } = await setUp({ ackWaitMs: 60_000 });
        for (let i = 0; i < 4; i++) await bus.publish(subject, bytes(`${i}`), { id: `${i}` });
        const leaving = await bus.consume({ ...spec, prefetch: 4 });
        const kept = await take(leaving);
        await waitFor(() => leaving.numHeld() >= 4);
        await leaving.close();
        expect(await leaving.next()).toBeUndefined();
        await using staying = await bus.consume({ ...spec, prefetch: 4 });
        const ids = new Set<string>();
        for (let i = 0; i < 3; i++) ids.add((await take(staying)).id);
        expect(ids).toEqual(new Set(["1", "2", "3"]));
        await kept.ack(); // still settles after the close
        await waitFor(async () => (await bus.consumerInfo(spec)).ackPending === 3);
      });

      it("ends a waiting next() on close and on the signal", async () => {
        const { spec } = await setUp();
        await using consumer = await bus.consume(spec);
        const stop = new AbortController();
        const waiting = consumer.next(stop.signal);
        stop.abort();
        await expect(waiting).rejects.toMatchObject({ code: "cancelled" });
        const other = consumer.next();
        await consumer.close();
        expect(await other).toBeUndefined();
      });

      it("shares a queue among workers without losing or doubling", async () => {
        const { subject, spec } = await setUp({ ackWaitMs: 60_000 });
        const stop = new AbortController();
        const seen: string[] = [];
        const workers = [1, 2, 3].map(() =>
          runConsumer(
            bus,
            spec,
            async ({ id }) => {
              seen.push(id);
              await Promise.resolve();
            },
            { signal: stop.signal, concurrency: 4 },
          ),
        );
        const ids = Array.from({ length: 200 }, (_, i) => `m${i}`);
        await Promise.all(ids.map((id) => bus.publish(subject, bytes(id), { id })));
        await waitFor(() => seen.length >= 200);
        stop.abort();
        await Promise.all(workers);
        expect(seen.sort()).toEqual([...ids].sort());
      });

      it("fails clearly for a consumer that does not exist", async () => {
        const { spec } = await setUp();
        const open = bus.consume({ ...spec, durable: "nobody" });
        await expect(open).rejects.toMatchObject({ code: "not_found" });
      });

      it("copies data, so that later traffic cannot change it", async () => {
        const { subject, spec } = await setUp({ ackWaitMs: 60_000 });
        for (const id of ["aaaa", "bbbb", "cccc"]) await bus.publish(subject, bytes(id), { id });
        await using consumer = await bus.consume({ ...spec, prefetch: 3 });
        const messages = [await take(consumer), await take(consumer), await take(consumer)];
        expect(messages.map(({ data }) => text(data))).toEqual(["aaaa", "bbbb", "cccc"]);
        for (const { data } of messages) expect(data.byteOffset % 4).toBe(0);
      });
    });

    describe("trimSettled()", () => {
      it("makes room in a full stream that keeps acked messages", async () => {
        const { subject, spec, stream } = await setUp({ retention: "limits", maxMessages: 4 });
        for (const id of ["1", "2", "3", "4"]) await bus.publish(subject, bytes(id), { id });
        await using consumer = await bus.consume({ ...spec, prefetch: 4 });
        const messages = [];
        for (let i = 0; i < 4; i++) messages.push(await take(consumer));
        for (const i of [0, 1, 3]) await messages[i]!.ack();
        await bus.trimSettled(spec, 1);
        // 1 goes; 2 is kept as asked; 3 is not settled, so 4 stays too.
        expect(await bus.streamInfo(stream)).toMatchObject({ messages: 3, firstSequence: 2 });
        await bus.publish(subject, bytes("5"), { id: "5", timeoutMs: 1000 });
      });
    });

    describe("runConsumer()", () => {
      const run = async (
        handler: (message: BusMessage) => Promise<void>,
        spec: Parameters<typeof runConsumer>[1],
        until: () => unknown,
      ) => {
        const stop = new AbortController();
        const running = runConsumer(bus, spec, handler, { signal: stop.signal, logger: SILENT });
        await waitFor(until);
        stop.abort();
        await running;
      };

      it("tries again after a failure that may pass", async () => {
        const { subject, spec } = await setUp({ ackWaitMs: 60_000 });
        await bus.publish(subject, bytes("a"), { id: "a" });
        const deliveries: number[] = [];
        await run(
          ({ delivery }) => {
            deliveries.push(delivery);
            if (delivery === 1) throw new StagecraftError("unavailable", "policy is away");
            return Promise.resolve();
          },
          spec,
          async () => (await bus.consumerInfo(spec)).ackPending === 0 && deliveries.length === 2,
        );
        expect(deliveries).toEqual([1, 2]);
      });

      it("stores what can never work as a dead letter, with the reason", async () => {
        const { subject, spec, stream } = await setUp({ ackWaitMs: 60_000 });
        await bus.publish(subject, bytes("poison"), { id: "poison", headers: { "X-A": "1" } });
        await run(
          () => Promise.reject(new StagecraftError("invalid_argument", "tokens: not a\nnumber")),
          spec,
          async () => (await bus.streamInfo(stream)).messages === 0,
        );
        const letters = await bus.deadLetters.list({ subject });
        expect(letters).toHaveLength(1);
        expect(letters[0]).toMatchObject({
          reason: "[invalid_argument] tokens: not a number",
          subject,
          stream,
          id: "poison",
          consumer: "workers",
          delivery: 1,
          sizeBytes: 6,
        });
        const shown = await bus.deadLetters.show(letters[0]!.sequence);
        expect(text(shown.data)).toBe("poison");
        expect(shown.headers["X-A"]).toBe("1");
      });

      it("gives up a message that kills its workers", async () => {
        const { subject, spec } = await setUp({ ackWaitMs: 100 });
        await bus.publish(subject, bytes("killer"), { id: "killer" });
        // Two workers take it and fall silent.
        await using silent = await bus.consume({ ...spec, keepAlive: false, maxDeliver: 2 });
        await take(silent);
        await take(silent);
        const third = silent.next();
        await waitFor(async () => (await bus.deadLetters.list({ subject })).length === 1);
        const [letter] = await bus.deadLetters.list({ subject });
        expect(letter!.reason).toContain("delivered 2 times");
        await waitFor(async () => (await bus.consumerInfo(spec)).ackPending === 0);
        await silent.close();
        expect(await third).toBeUndefined(); // no handler saw it a third time
      });

      it("lets handlers in flight finish before it resolves", async () => {
        const { subject, spec } = await setUp({ ackWaitMs: 60_000 });
        await bus.publish(subject, bytes("a"), { id: "a" });
        const started = gate();
        const finish = gate();
        const stop = new AbortController();
        let done = false;
        const running = runConsumer(
          bus,
          spec,
          async () => {
            started.open();
            await finish.opened;
            done = true;
          },
          { signal: stop.signal },
        );
        await started.opened;
        stop.abort();
        finish.open();
        await running;
        expect(done).toBe(true);
        expect(await bus.consumerInfo(spec)).toMatchObject({ pending: 0, ackPending: 0 });
      });
    });

    describe("dead letters", () => {
      it("come back to their queue once, under the publisher's id", async () => {
        const { subject, spec } = await setUp({ ackWaitMs: 60_000 });
        await bus.publish(subject, bytes("fixable"), { id: "original" });
        await using consumer = await bus.consume(spec);
        await (await take(consumer)).term("not today");
        const [letter] = await bus.deadLetters.list({ subject });
        await bus.deadLetters.requeue(letter!.sequence);
        const again = await take(consumer);
        expect(again).toMatchObject({ id: "original", subject, delivery: 1 });
        expect(text(again.data)).toBe("fixable");
        expect(await bus.deadLetters.list({ subject })).toEqual([]);
        const gone = bus.deadLetters.requeue(letter!.sequence);
        await expect(gone).rejects.toMatchObject({ code: "not_found" });
      });

      it("are listed in pages and can be discarded", async () => {
        const { subject, spec } = await setUp({ ackWaitMs: 60_000 });
        await using consumer = await bus.consume(spec);
        for (const id of ["1", "2", "3"]) {
          await bus.publish(subject, bytes(id), { id });
          await (await take(consumer)).term("no");
        }
        const page = await bus.deadLetters.list({ subject, limit: 2 });
        expect(page.map(({ id }) => id)).toEqual(["1", "2"]);
        const after = page[1]!.sequence;
        const rest = await bus.deadLetters.list({ subject, after });
        expect(rest.map(({ id }) => id)).toEqual(["3"]);
        expect(await bus.deadLetters.discard(after)).toBe(true);
        expect(await bus.deadLetters.discard(after)).toBe(false);
      });
    });

    describe("keyValue()", () => {
      it("puts, gets, deletes and guards updates by revision", async () => {
        await bus.ensureBucket("state");
        const kv = await bus.keyValue("state");
        expect(await kv.get("epoch")).toBeUndefined();
        const first = await kv.update("epoch", bytes("1"), 0);
        const second = await kv.update("epoch", bytes("2"), first);
        expect(second).toBeGreaterThan(first);
        for (const stale of [0, first]) {
          await expect(kv.update("epoch", bytes("x"), stale)).rejects.toMatchObject({
            code: "aborted",
          });
        }
        expect(text((await kv.get("epoch"))!.value)).toBe("2");
        await kv.delete("epoch");
        expect(await kv.get("epoch")).toBeUndefined();
      });

      it("watches a key: the value now, then every newest one", async () => {
        await bus.ensureBucket("watched");
        const kv = await bus.keyValue("watched");
        await kv.put("latest", bytes("1"));
        await kv.put("other", bytes("no"));
        const stop = new AbortController();
        const seen: string[] = [];
        const watching = (async () => {
          for await (const { value } of kv.watch("latest", stop.signal)) seen.push(text(value));
        })();
        await waitFor(() => seen.includes("1"));
        await kv.put("latest", bytes("2"));
        await waitFor(() => seen.includes("2"));
        stop.abort();
        await watching;
        expect(seen).toEqual(["1", "2"]);
      });
    });

    describe("objects()", () => {
      it("stores and returns content of several chunks with its sha256", async () => {
        await bus.ensureBucket("models", { maxBytes: 64 * 1024 * 1024 });
        const store = await bus.objects("models");
        const content = Uint8Array.from({ length: 1_300_000 }, (_, i) => (i * 31) % 251);
        const info = await store.put("weights 7", content);
        expect(info.sizeBytes).toBe(content.length);
        const found = await store.get("weights 7");
        expect(found!.info).toEqual(info);
        const parts: Uint8Array[] = [];
        for await (const chunk of found!.chunks) parts.push(chunk);
        expect(parts.length).toBeGreaterThan(2);
        expect(Buffer.concat(parts).equals(content)).toBe(true);
      });

      it("replaces, lists and deletes, leaving no chunks behind", async () => {
        await bus.ensureBucket("small", { maxBytes: 8 * 1024 * 1024 });
        const store = await bus.objects("small");
        await store.put("a", bytes("first"));
        await store.put("a", bytes("second"));
        await store.put("empty", new Uint8Array(0));
        expect((await store.list()).map(({ name }) => name).sort()).toEqual(["a", "empty"]);
        const { chunks } = (await store.get("a"))!;
        for await (const chunk of chunks) expect(text(chunk)).toBe("second");
        await store.delete("a");
        expect(await store.get("a")).toBeUndefined();
        expect(await store.get("never")).toBeUndefined();
        // Two manifests: of the empty one and of the deleted one.
        expect((await bus.streamInfo("OBJ_small")).messages).toBe(2);
      });

      it("leaves the old content in place when a put fails", async () => {
        await bus.ensureBucket("safe", { maxBytes: 8 * 1024 * 1024 });
        const store = await bus.objects("safe");
        await store.put("a", bytes("good"));
        async function* broken() {
          yield new Uint8Array(600_000);
          await Promise.resolve();
          throw new Error("disk gone");
        }
        await expect(store.put("a", broken())).rejects.toThrow("disk gone");
        for await (const chunk of (await store.get("a"))!.chunks) {
          expect(text(chunk)).toBe("good");
        }
        expect((await bus.streamInfo("OBJ_safe")).messages).toBe(2);
      });
    });

    describe("broadcast() and listen()", () => {
      it("reaches listeners by pattern and drops the oldest for slow ones", async () => {
        await using all = await bus.listen("stagecraft.*.progress", { maxQueued: 2 });
        for (const n of ["1", "2", "3"]) bus.broadcast("stagecraft.r1.progress", bytes(n));
        bus.broadcast("stagecraft.r1.other", bytes("no"));
        await waitFor(() => all.numDropped() === 1);
        const seen: string[] = [];
        for await (const { data } of all) {
          seen.push(text(data));
          if (seen.length === 2) break;
        }
        expect(seen).toEqual(["2", "3"]);
      });
    });

    describe("setUpTopology()", () => {
      it("says what it created, changed and found as it should be", async () => {
        const outcomes = async (topology: Topology) =>
          (await setUpTopology(bus, topology)).map(({ kind, outcome }) => `${kind} ${outcome}`);
        const topology = runTopology("told");
        // The streams of dead letters and of the canary are there already.
        const shared = ["stream unchanged", "stream unchanged"];
        expect(await outcomes(topology)).toEqual([
          ...["stream created", "stream created", ...shared],
          ...["consumer created", "consumer created", "bucket created"],
        ]);
        expect(new Set((await outcomes(topology)).map((text) => text.split(" ")[1]))).toEqual(
          new Set(["unchanged"]),
        );
        const changed = runTopology("told", { promptsMaxBytes: 2 ** 25, taskAckWaitMs: 60_000 });
        expect(await outcomes(changed)).toEqual([
          ...["stream updated", "stream unchanged", ...shared],
          ...["consumer updated", "consumer unchanged", "bucket unchanged"],
        ]);
      });
    });

    describe("ensureTopology()", () => {
      it("can be repeated, and with other limits", async () => {
        const topology = await ensureTopology(bus, "again");
        await bus.publish(topology.subjects.prompts, bytes("kept"), { id: "1" });
        await ensureTopology(bus, "again");
        await ensureTopology(bus, "again", { promptsMaxBytes: 32 * 1024 * 1024 });
        expect((await bus.consumerInfo(topology.promptsConsumer)).pending).toBe(1);
        await bus.checkReady(2000);
      });

      it("can be run by many processes at once", async () => {
        await Promise.all([1, 2, 3, 4].map(() => ensureTopology(bus, "crowd")));
        expect((await bus.streamInfo("PROMPTS_crowd")).messages).toBe(0);
      });

      it("removes what one run used, dead letters excepted", async () => {
        const topology = await ensureTopology(bus, "ended");
        await deleteTopology(bus, topology);
        await deleteTopology(bus, topology);
        await expect(bus.streamInfo("PROMPTS_ended")).rejects.toMatchObject({ code: "not_found" });
        await bus.streamInfo("DEAD");
      });

      it("refuses to change what cannot change", async () => {
        const { stream, subject } = await setUp();
        const changed = bus.ensureStream({
          name: stream,
          subjects: [subject],
          retention: "limits",
          discard: "new",
          maxBytes: 1024,
        });
        await expect(changed).rejects.toBeInstanceOf(StagecraftError);
      });

      it("refuses names that would not be one subject token", () => {
        for (const run of ["", "a.b", "a b", "a*", "ä", ">"]) {
          expect(() => runTopology(run)).toThrow("[invalid_argument]");
        }
      });
    });

    it("carries the trace from publisher to consumer", async () => {
      const { subject, spec } = await setUp({ ackWaitMs: 60_000 });
      const traceparent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
      await bus.publish(subject, bytes("a"), { id: "a", headers: { traceparent } });
      let traceId = "";
      const stop = new AbortController();
      const running = runConsumer(
        bus,
        spec,
        (_, { span }) => {
          traceId = span.spanContext().traceId;
          return Promise.resolve();
        },
        { signal: stop.signal },
      );
      await waitFor(() => traceId !== "");
      stop.abort();
      await running;
      expect(traceId).toBe("0af7651916cd43dd8448eb211c80319c");
    });
  });
}

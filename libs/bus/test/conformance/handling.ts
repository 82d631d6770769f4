import { StagecraftError } from "@stagecraft/core";
import { createLogger, withSpan } from "@stagecraft/telemetry";
import { gate, waitFor } from "@stagecraft/testing";
import { describe, expect, it } from "vitest";
import {
  DEAD_PREFIX,
  DEAD_STREAM,
  handleMessages,
  type BusMessage,
  type ConsumerSpec,
} from "@stagecraft/bus";
import { bytes, takeNext, text, type BusKit } from "./kit.js";

const deadSubjectOf = (subject: string) => DEAD_PREFIX + subject.replace("stagecraft.", "");
const SILENT = createLogger({ service: "test", level: "silent" });

/** One message, one handler: settlement by outcome, dead letters, the trace. */
export function describeHandling(kit: BusKit): void {
  describe("handleMessages()", () => {
    const run = async (
      handle: (message: BusMessage) => Promise<void>,
      spec: ConsumerSpec,
      until: () => unknown,
    ) => {
      const consumer = await kit.bus.consume(spec);
      const handling = handleMessages({ consumer, handle, concurrency: 1, logger: SILENT });
      await waitFor(until);
      await handling.stop();
    };

    it("tries again after a failure that may pass", async () => {
      const { subject, spec } = await kit.setUp({ ackWaitMs: 60_000 });
      await kit.bus.publish(subject, bytes("a"), { id: "a" });
      const deliveries: number[] = [];
      await run(
        ({ delivery }) => {
          deliveries.push(delivery);
          if (delivery === 1) throw new StagecraftError("unavailable", "policy is away");
          return Promise.resolve();
        },
        spec,
        async () => (await kit.bus.consumerInfo(spec)).ackPending === 0 && deliveries.length === 2,
      );
      expect(deliveries).toEqual([1, 2]);
    });

    it("stores what can never work as a dead letter, with the reason", async () => {
      const { subject, spec, stream } = await kit.setUp({ ackWaitMs: 60_000 });
      await kit.bus.publish(subject, bytes("poison"), { id: "poison", headers: { "X-A": "1" } });
      await run(
        () => Promise.reject(new StagecraftError("invalid_argument", "tokens: not a\nnumber")),
        spec,
        async () => (await kit.bus.streamInfo(stream)).messages === 0,
      );
      const letters = await kit.bus.deadLetters.list({ subject });
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
      const shown = await kit.bus.deadLetters.show(letters[0]!.sequence);
      expect(text(shown.data)).toBe("poison");
      expect(shown.headers["X-A"]).toBe("1");
    });

    it("leaves a message alone, to come again, whose failure could not be told", async () => {
      const { subject, spec } = await kit.setUp({ ackWaitMs: 100 });
      await kit.bus.publish(subject, bytes("a"), { id: "a" });
      const deliveries: number[] = [];
      const handling = handleMessages({
        consumer: await kit.bus.consume({ ...spec, keepAlive: false }),
        concurrency: 1,
        handle({ delivery }) {
          deliveries.push(delivery);
          if (delivery === 1) throw new StagecraftError("invalid_argument", "never");
          return Promise.resolve();
        },
        onFailure: () => Promise.reject(new StagecraftError("unavailable", "nobody hears it")),
        logger: SILENT,
      });
      await waitFor(() => deliveries.length === 2);
      await handling.stop();
      expect(await kit.bus.deadLetters.list({ subject })).toEqual([]);
    });

    it("gives up a message that kills its workers", async () => {
      const { subject, spec } = await kit.setUp({ ackWaitMs: 100 });
      await kit.bus.publish(subject, bytes("killer"), { id: "killer" });
      // Two workers take it and fall silent.
      await using silent = await kit.bus.consume({ ...spec, keepAlive: false, maxDeliver: 2 });
      await takeNext(silent);
      await takeNext(silent);
      const third = silent.next();
      await waitFor(async () => (await kit.bus.deadLetters.list({ subject })).length === 1);
      const [letter] = await kit.bus.deadLetters.list({ subject });
      expect(letter!.reason).toContain("delivered 2 times");
      await waitFor(async () => (await kit.bus.consumerInfo(spec)).ackPending === 0);
      await silent.close();
      expect(await third).toBeUndefined(); // no handler saw it a third time
    });

    it("lets handlers in flight finish before it resolves", async () => {
      const { subject, spec } = await kit.setUp({ ackWaitMs: 60_000 });
      await kit.bus.publish(subject, bytes("a"), { id: "a" });
      const started = gate();
      const finish = gate();
      let done = false;
      const handling = handleMessages({
        consumer: await kit.bus.consume(spec),
        concurrency: 1,
        async handle() {
          started.open();
          await finish.opened;
          done = true;
        },
      });
      await started.opened;
      const stopping = handling.stop();
      finish.open();
      await stopping;
      expect(done).toBe(true);
      expect(await kit.bus.consumerInfo(spec)).toMatchObject({ pending: 0, ackPending: 0 });
    });
  });

  describe("dead letters", () => {
    it("come back to their queue once, under the publisher's id", async () => {
      const { subject, spec } = await kit.setUp({ ackWaitMs: 60_000 });
      await kit.bus.publish(subject, bytes("fixable"), { id: "original" });
      await using consumer = await kit.bus.consume(spec);
      await (await takeNext(consumer)).term("not today");
      const [letter] = await kit.bus.deadLetters.list({ subject });
      await kit.bus.deadLetters.requeue(letter!.sequence);
      const again = await takeNext(consumer);
      expect(again).toMatchObject({ id: "original", subject, delivery: 1 });
      expect(text(again.data)).toBe("fixable");
      expect(await kit.bus.deadLetters.list({ subject })).toEqual([]);
      const gone = kit.bus.deadLetters.requeue(letter!.sequence);
      await expect(gone).rejects.toMatchObject({ code: "not_found" });
    });

    // Who may store dead letters of one queue writes their headers: these decide nothing.
    it("go back to the queue they were taken from, whatever their headers say", async () => {
      const { subject, spec } = await kit.setUp({ ackWaitMs: 60_000 });
      const { subject: elsewhere, stream: other } = await kit.setUp();
      const { sequence } = await kit.bus.publish(deadSubjectOf(subject), bytes("forged"), {
        id: "forged",
        headers: {
          "Stagecraft-Dead-Subject": elsewhere,
          "Stagecraft-Dead-Stream": other,
          "Nats-Subject": deadSubjectOf(elsewhere),
          "Nats-Sequence": "1",
          "Nats-Expected-Stream": DEAD_STREAM,
        },
      });
      const [letter] = await kit.bus.deadLetters.list({ subject });
      expect(letter).toMatchObject({ sequence, subject });
      await kit.bus.deadLetters.requeue(sequence);
      await using consumer = await kit.bus.consume(spec);
      expect(await takeNext(consumer)).toMatchObject({ subject, delivery: 1 });
      expect((await kit.bus.streamInfo(other)).messages).toBe(0);
      expect(await kit.bus.deadLetters.list({ subject })).toEqual([]);
    });

    it("are listed in pages and can be discarded", async () => {
      const { subject, spec } = await kit.setUp({ ackWaitMs: 60_000 });
      await using consumer = await kit.bus.consume(spec);
      for (const id of ["1", "2", "3"]) {
        await kit.bus.publish(subject, bytes(id), { id });
        await (await takeNext(consumer)).term("no");
      }
      const page = await kit.bus.deadLetters.list({ subject, limit: 2 });
      expect(page.map(({ id }) => id)).toEqual(["1", "2"]);
      const after = page[1]!.sequence;
      const rest = await kit.bus.deadLetters.list({ subject, after });
      expect(rest.map(({ id }) => id)).toEqual(["3"]);
      expect(await kit.bus.deadLetters.discard(after)).toBe(true);
      expect(await kit.bus.deadLetters.discard(after)).toBe(false);
    });
  });

  it("carries the trace from publisher to consumer", async () => {
    const { subject, spec } = await kit.setUp({ ackWaitMs: 60_000 });
    const traceparent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    await kit.bus.publish(subject, bytes("a"), { id: "a", headers: { traceparent } });
    await using consumer = await kit.bus.consume(spec);
    const { trace: parent } = await takeNext(consumer);
    let traceId = "";
    await withSpan("handle", { parent }, ({ span }) => {
      traceId = span.spanContext().traceId;
      return Promise.resolve();
    });
    expect(traceId).toBe("0af7651916cd43dd8448eb211c80319c");
  });
}

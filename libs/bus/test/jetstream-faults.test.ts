import { hasNatsServer, NATS_MISSING, startNatsServer, waitFor } from "@stagecraft/testing";
import { createLogger } from "@stagecraft/telemetry";
import { describe, expect, it } from "vitest";
import { createJetStreamBus, ensureTopology, type EventBus } from "@stagecraft/bus";

const bytes = (text: string) => new TextEncoder().encode(text);
const SMALL = { weightsMaxBytes: 16 * 1024 * 1024, rolloutsMaxBytes: 16 * 1024 * 1024 };

/** Consumes rollouts until `count` distinct ids were acked; returns deliveries per id. */
async function consumeAll(
  bus: EventBus,
  deployment: string,
  count: number,
  onDelivery: () => void,
): Promise<Map<string, number>> {
  const topology = await ensureTopology(bus, deployment, SMALL);
  await using consumer = await bus.consume(topology.rolloutsConsumer);
  const deliveries = new Map<string, number>();
  const acked = new Set<string>();
  while (acked.size < count) {
    const message = (await consumer.next())!;
    onDelivery();
    deliveries.set(message.id, (deliveries.get(message.id) ?? 0) + 1);
    await message.ack().then(
      () => acked.add(message.id),
      () => undefined, // comes again
    );
  }
  return deliveries;
}

describe.skipIf(!hasNatsServer())(`JetStream faults (skipped when: ${NATS_MISSING})`, () => {
  it("loses nothing when nats-server is killed under load, and consumes again within 3 s", async () => {
    await using server = await startNatsServer();
    await using bus = await createJetStreamBus({ servers: server.url, requestTimeoutMs: 500 });
    const { subjects } = await ensureTopology(bus, "kill", SMALL);
    const ids = Array.from({ length: 300 }, (_, i) => `r${i}`);
    let consumed = 0;
    const consuming = consumeAll(bus, "kill", ids.length, () => consumed++);
    let published = 0;
    const publishing = (async () => {
      for (const id of ids) {
        await bus.publish(subjects.rollouts, bytes(id), { id });
        published++;
      }
    })();
    for (const mark of [50, 150]) {
      await waitFor(() => published >= mark);
      await server.kill();
      await server.restart();
      const [at, count, seen] = [performance.now(), published, consumed];
      await waitFor(() => published > count + 5 && consumed > seen + 5);
      expect(performance.now() - at).toBeLessThan(3000);
    }
    await publishing;
    expect(new Set((await consuming).keys())).toEqual(new Set(ids));
  });

  it("sets up a stream from several processes at once, though the space is there only once", async () => {
    await using server = await startNatsServer({ maxFileStoreBytes: 100 * 1024 * 1024 });
    const connect = () => createJetStreamBus({ servers: server.url });
    await using first = await connect();
    await using second = await connect();
    await using third = await connect();
    for (const deployment of ["a", "b", "c"]) {
      const options = { ...SMALL, weightsMaxBytes: 1024 * 1024, rolloutsMaxBytes: 1024 * 1024 };
      const setUps = [first, second, third].map((bus) =>
        ensureTopology(bus, deployment, { ...options, promptsMaxBytes: 1024 * 1024 }),
      );
      expect((await Promise.all(setUps)).map((topology) => topology.deployment)).toEqual([
        deployment,
        deployment,
        deployment,
      ]);
    }
  });

  it("sends a publish without answer again under the same id, stored once", async () => {
    await using server = await startNatsServer();
    await using bus = await createJetStreamBus({ servers: server.url, requestTimeoutMs: 150 });
    const { subjects } = await ensureTopology(bus, "frozen", SMALL);
    await server.pause();
    const publishing = bus.publish(subjects.rollouts, bytes("x"), { id: "x" });
    const impatient = bus.publish(subjects.rollouts, bytes("y"), { id: "y", timeoutMs: 300 });
    await expect(impatient).rejects.toMatchObject({ code: "unavailable" });
    await expect(impatient).rejects.toThrow("publish again with the same id");
    await server.resume();
    await publishing;
    await bus.publish(subjects.rollouts, bytes("y"), { id: "y" });
    expect((await bus.streamInfo("ROLLOUTS_frozen")).messages).toBe(2);
  });

  it("keeps watching a key over a broker restart", async () => {
    await using server = await startNatsServer();
    await using bus = await createJetStreamBus({ servers: server.url, requestTimeoutMs: 500 });
    await bus.ensureBucket("w", { maxBytes: 1024 * 1024 });
    const kv = await bus.keyValue("w");
    await kv.put("latest", bytes("1"));
    const stop = new AbortController();
    const seen: string[] = [];
    const watching = (async () => {
      for await (const { value } of kv.watch("latest", stop.signal)) {
        seen.push(new TextDecoder().decode(value));
      }
    })();
    await waitFor(() => seen.length === 1);
    await server.kill();
    await server.restart();
    await waitFor(() => kv.put("latest", bytes("2")).then(() => true));
    await waitFor(() => seen.at(-1) === "2");
    stop.abort();
    await watching;
  });

  it("holds a bounded number of publishes while the broker is away", async () => {
    await using server = await startNatsServer();
    await using bus = await createJetStreamBus({
      servers: server.url,
      requestTimeoutMs: 100,
      maxInFlight: { count: 4, bytes: 1024 },
    });
    const { subjects } = await ensureTopology(bus, "bounded", SMALL);
    await server.kill();
    const ids = Array.from({ length: 50 }, (_, i) => `${i}`);
    const all = ids.map((id) => bus.publish(subjects.rollouts, bytes(id), { id }));
    await server.restart();
    await Promise.all(all);
    expect((await bus.streamInfo("ROLLOUTS_bounded")).messages).toBe(50);
  });

  it("says that the broker's disk is not writable", async () => {
    await using server = await startNatsServer();
    await using bus = await createJetStreamBus({ servers: server.url, requestTimeoutMs: 150 });
    await ensureTopology(bus, "ready", SMALL);
    await bus.checkReady(2000);
    await server.pause();
    await expect(bus.checkReady(300)).rejects.toMatchObject({ code: "unavailable" });
    await server.resume();
    await bus.checkReady(5000);
  });

  it("waits for a broker that comes up later than its services, and says so", async () => {
    await using server = await startNatsServer();
    await server.kill();
    const lines: string[] = [];
    const logger = createLogger({
      service: "policy",
      destination: { write: (line) => void lines.push(line) },
    });
    const connecting = createJetStreamBus({ servers: server.url, logger });
    await waitFor(() => lines.length > 0, { what: "the log" });
    await server.restart();
    await using bus = await connecting;
    await ensureTopology(bus, "late", SMALL);
    const [said, ...more] = lines.filter((line) => line.includes("no broker yet, waiting"));
    expect(said).toContain(server.url);
    expect(more).toEqual([]);
  });

  it("explains a broker that is absent, refuses us, or is far away without TLS", async () => {
    const absent = createJetStreamBus({ servers: "nats://127.0.0.1:1", connectTimeoutMs: 50 });
    await expect(absent).rejects.toThrow("is nats-server running?");
    await using server = await startNatsServer({
      config: 'authorization { user: "trainer", password: "right" }',
    });
    const login = { servers: server.url, user: "trainer" };
    const wrong = createJetStreamBus({ ...login, password: "wrong" });
    await expect(wrong).rejects.toMatchObject({ code: "unauthenticated" });
    await using right = await createJetStreamBus({ ...login, password: "right" });
    await ensureTopology(right, "login", SMALL);
    const far = createJetStreamBus({ servers: "nats://192.0.2.1:4222" });
    await expect(far).rejects.toMatchObject({ code: "failed_precondition" });
  });
});

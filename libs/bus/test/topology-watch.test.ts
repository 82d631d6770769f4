import { rm } from "node:fs/promises";
import {
  createJetStreamBus,
  createMemoryBus,
  deleteTopology,
  ensureTopology,
  natsServerConfig,
  deploymentTopology,
  watchTopology,
  type EventBus,
  type Topology,
} from "@stagecraft/bus";
import { silentLogger } from "@stagecraft/telemetry";
import { hasNatsServer, NATS_MISSING, startNatsServer, waitFor } from "@stagecraft/testing";
import { describe, expect, it } from "vitest";
import { watchLatest } from "../src/common/watch.js";

const topology = deploymentTopology("watched");
const bytes = (text: string) => new TextEncoder().encode(text);

/** Watches and keeps what it is told. */
function watched(bus: EventBus, of: Topology = topology) {
  const heard: (string | undefined)[] = [];
  const watch = watchTopology({
    ...{ bus, topology: of, everyMs: 20, logger: silentLogger() },
    onProblem: (problem) => heard.push(problem),
  });
  return { heard, [Symbol.dispose]: () => watch.close() };
}

describe("watchTopology()", () => {
  it("sets up again what the broker has lost", async () => {
    await using bus = createMemoryBus();
    await ensureTopology(bus, topology);
    using watch = watched(bus);
    await waitFor(() => watch.heard.length > 0);
    await deleteTopology(bus, topology);
    await waitFor(() => bus.consumerInfo(topology.promptsConsumer).catch(() => undefined));
    await waitFor(() => watch.heard.length > 3);
    expect(new Set(watch.heard)).toEqual(new Set([undefined]));
  });

  it("says that the broker does not answer, and takes it back", async () => {
    await using bus = createMemoryBus();
    await ensureTopology(bus, topology);
    let away = true;
    const flaky: EventBus = {
      ...bus,
      streamInfo: (name) =>
        away ? Promise.reject(new Error("connection lost")) : bus.streamInfo(name),
    };
    using watch = watched(flaky);
    await waitFor(() => watch.heard.some((problem) => problem?.includes("does not answer")));
    away = false;
    await waitFor(() => watch.heard.at(-1) === undefined);
  });
});

describe("watchLatest()", () => {
  it("hears the new value of a broker that counts revisions anew", async () => {
    const entry = (revision: number, createdAtMs: number, value: string) => ({
      ...{ key: "k", revision, createdAtMs },
      value: bytes(value),
    });
    let current = entry(7, 1000, "before");
    const stop = new AbortController();
    const hints = { pollMs: 5, signal: stop.signal, onHint: () => () => undefined };
    const seen: string[] = [];
    for await (const { value } of watchLatest(() => Promise.resolve(current), hints)) {
      seen.push(new TextDecoder().decode(value));
      if (seen.length === 3) break;
      // A replica that lags behind shows what was: not news.
      current = seen.length === 1 ? entry(1, 2000, "after") : entry(2, 3000, "and on");
    }
    stop.abort();
    expect(seen).toEqual(["before", "after", "and on"]);
  });
});

const authorization = natsServerConfig(topology, { listen: "", storeDir: "", maxFileStore: "1G" });
const users = authorization
  .slice(authorization.indexOf("authorization"))
  .replace(/\$NATS_(\w+)_PASSWORD/g, (_, role: string) => role.toLowerCase());

describe.skipIf(!hasNatsServer())(`a store that is lost (skipped when: ${NATS_MISSING})`, () => {
  it("is said by a user who may not set it up, until an admin has", async () => {
    await using nats = await startNatsServer({ config: users, maxFileStoreBytes: 8 * 1024 ** 3 });
    const as = (user: string) =>
      createJetStreamBus({ servers: nats.url, user, password: user, requestTimeoutMs: 500 });
    await using admin = await as("admin");
    await using trainer = await as("trainer");
    await ensureTopology(admin, topology);
    using watch = watched(trainer);
    await waitFor(() => watch.heard.length > 0);
    await nats.kill();
    await rm(nats.storeDir, { recursive: true, force: true });
    await nats.restart();
    await waitFor(() => watch.heard.at(-1)?.includes("nats setup"));
    expect(watch.heard.at(-1)).toContain("stream PROMPTS_watched");
    await waitFor(() => ensureTopology(admin, topology).catch(() => undefined));
    await waitFor(() => watch.heard.at(-1) === undefined);
  });
});

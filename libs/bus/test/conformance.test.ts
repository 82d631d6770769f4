import { hasNatsServer, NATS_MISSING, startNatsServer, type NatsServer } from "@stagecraft/testing";
import { afterAll, beforeAll, describe } from "vitest";
import { createJetStreamBus, createMemoryBus } from "@stagecraft/bus";
import { describeBus } from "./conformance.js";

describeBus("memory bus", () => Promise.resolve(createMemoryBus()));

describe.skipIf(!hasNatsServer())(`real nats-server (skipped when: ${NATS_MISSING})`, () => {
  let server: NatsServer;
  beforeAll(async () => {
    server = await startNatsServer({ maxFileStoreBytes: 64 * 1024 * 1024 * 1024 });
  });
  afterAll(() => server?.[Symbol.asyncDispose]());
  describeBus("JetStream bus", () => createJetStreamBus({ servers: server.url }));
});

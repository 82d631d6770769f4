import { connect, headers, type NatsConnection } from "nats";
import { hasNatsServer, NATS_MISSING, startNatsServer } from "@stagecraft/testing";
import { describe, expect, it } from "vitest";
import { createJetStreamBus } from "@stagecraft/bus";

/** Answers what a copy says that lags behind: that it has no such message. */
function answerAsLaggingCopy(nc: NatsConnection, stream: string): { asked: () => number } {
  const notFound = headers(404, "Message Not Found");
  const subscription = nc.subscribe(`$JS.API.DIRECT.GET.${stream}`, {
    callback: (_, message) => void message.respond(undefined, { headers: notFound }),
  });
  return { asked: () => subscription.getReceived() };
}

describe.skipIf(!hasNatsServer())(`a copy that lags (skipped when: ${NATS_MISSING})`, () => {
  it("an object that a copy of the stream does not have yet is read from the leader", async () => {
    await using server = await startNatsServer();
    await using bus = await createJetStreamBus({ servers: server.url });
    await bus.ensureBucket("b", {});
    const store = await bus.objects("b");
    await store.put("model", Buffer.from("weights"));
    const nc = await connect({ servers: server.url });
    // The server itself no longer answers for its copy.
    const manager = await nc.jetstreamManager();
    await manager.streams.update("OBJ_b", { allow_direct: false });
    const copy = answerAsLaggingCopy(nc, "OBJ_b");
    await nc.flush();

    const found = await store.get("model");
    const chunks: Uint8Array[] = [];
    for await (const chunk of found?.chunks ?? []) chunks.push(chunk);
    expect(Buffer.concat(chunks).toString()).toBe("weights");
    expect((await store.list()).map(({ name }) => name)).toEqual(["model"]);
    expect(await store.get("none")).toBeUndefined();
    expect(copy.asked()).toBeGreaterThanOrEqual(4);
    await nc.close();
  });
});

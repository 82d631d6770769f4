import { createServer, get, type IncomingMessage } from "node:http";
import type { AddressInfo } from "node:net";
import { once } from "node:events";
import { describe, expect, it } from "vitest";
import { sendEvents } from "./sse.js";

/** A server that sends events without end, and what became of it. */
async function endless(stalledMs: number) {
  let numSent = 0;
  async function* events() {
    for (; ; numSent++) yield { text: "x".repeat(100_000) };
  }
  let ended: Promise<void> | undefined;
  const server = createServer((_, raw) => {
    const reply = { raw, hijack: () => reply, getHeaders: () => ({}) };
    ended = sendEvents(reply as never, events(), { stalledMs });
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  const [answer] = (await once(get({ port, host: "127.0.0.1" }), "response")) as [IncomingMessage];
  return { answer, ended: ended!, numSent: () => numSent, close: () => server.close() };
}

describe("sendEvents()", () => {
  it("cuts off a client that reads nothing, and asks its source for no more than it holds", async () => {
    const stream = await endless(50);
    await stream.ended;
    expect(stream.numSent()).toBeLessThan(200);
    stream.answer.destroy();
    stream.close();
  });
});

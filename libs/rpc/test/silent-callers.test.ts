import { connect, type ClientHttp2Session, type ClientHttp2Stream } from "node:http2";
import { connect as connectTcp } from "node:net";
import { once } from "node:events";
import { waitFor } from "@stagecraft/testing";
import { describe, expect, it } from "vitest";
import { echoClient, startEcho } from "./echo-service.js";

/** A call whose request never comes to its end: headers, and half a message. */
function unfinished(session: ClientHttp2Session, method: string): ClientHttp2Stream {
  const stream = session.request({
    ":method": "POST",
    ":path": `/test.v1.EchoService/${method}`,
    "content-type": "application/grpc",
    te: "trailers",
  });
  stream.write(Buffer.from([0, 0, 0, 1, 0, 123]));
  stream.on("error", () => undefined);
  stream.resume();
  return stream;
}

async function statusOf(stream: ClientHttp2Stream): Promise<string> {
  const [headers] = (await once(stream, "response")) as [Record<string, string>];
  if (headers["grpc-status"] !== undefined) return headers["grpc-status"];
  const [trailers] = (await once(stream, "trailers")) as [Record<string, string>];
  return trailers["grpc-status"]!;
}

describe("callers that are silent", () => {
  for (const method of ["Say", "Repeat", "Collect", "Talk"]) {
    it(`${method}: unfinished requests hold no place that somebody else needs`, async () => {
      await using echo = await startEcho({}, { server: { limits: { maxConcurrentCalls: 4 } } });
      const session = connect(`http://127.0.0.1:${echo.port}`);
      const streams = Array.from({ length: 4 }, () => unfinished(session, method));
      await waitFor(() => echo.server.inFlight() === 4);
      const ended = statusOf(streams[0]!);
      const client = echoClient(echo.port);
      const call = { Say: "say", Repeat: "repeat", Collect: "collect", Talk: "talk" } as const;
      for (let i = 0; i < 8; i++) {
        const name = call[method as keyof typeof call];
        if (name === "say") expect(await client.say({ text: "a" })).toEqual({ text: "a" });
        else if (name === "repeat") for await (const _ of client.repeat({ text: "a" }));
        else if (name === "collect") await client.collect(texts());
        else for await (const _ of client.talk(texts()));
      }
      expect(await ended).toBe("8"); // RESOURCE_EXHAUSTED
      client.close();
      session.destroy();
    });
  }

  it("a request that does not arrive in time is given up, and so is a silent stream", async () => {
    const limits = { receiveTimeoutMs: 40, streamIdleMs: 40 };
    await using echo = await startEcho({}, { server: { limits } });
    const session = connect(`http://127.0.0.1:${echo.port}`);
    const statuses = ["Say", "Collect", "Talk"].map((name) => statusOf(unfinished(session, name)));
    expect(await Promise.all(statuses)).toEqual(["4", "4", "4"]); // DEADLINE_EXCEEDED
    await waitFor(() => echo.server.inFlight() === 0);
    session.destroy();
  });

  it("a stream is not silent while an answer is owed to it", async () => {
    let release = () => {};
    const held = new Promise<void>((resolve) => (release = resolve));
    await using echo = await startEcho(
      {
        async *talk(requests) {
          for await (const { text } of requests) {
            await held;
            yield { text };
          }
        },
      },
      { server: { limits: { maxConcurrentCalls: 1, streamIdleMs: 20 } } },
    );
    let ask = () => {};
    const asked = new Promise<void>((resolve) => (ask = resolve));
    async function* one() {
      yield { text: "a" };
      ask();
      await held;
    }
    const answers = echo.client.talk(one())[Symbol.asyncIterator]();
    const first = answers.next();
    await asked;
    await waitFor(() => echo.server.inFlight() === 1);
    const other = echoClient(echo.port, { retry: { maxAttempts: 1 } });
    const refused = other.talk(texts())[Symbol.asyncIterator]().next();
    await expect(refused).rejects.toMatchObject({ code: "resource_exhausted" });
    release();
    expect((await first).value).toEqual({ text: "a" });
    other.close();
  });

  it("closes connections beyond the limit for one address", async () => {
    await using echo = await startEcho({}, { server: { limits: { maxConnectionsPerPeer: 3 } } });
    await echo.client.say({ text: "a" });
    const sockets = Array.from({ length: 4 }, () => connectTcp(echo.port, "127.0.0.1"));
    let numClosed = 0;
    for (const socket of sockets) {
      socket.on("error", () => undefined);
      socket.on("close", () => numClosed++);
      socket.resume();
    }
    await waitFor(() => numClosed === 2);
    expect(await echo.client.say({ text: "b" })).toEqual({ text: "b" });
    for (const socket of sockets) socket.destroy();
  });
});

async function* texts() {
  yield await Promise.resolve({ text: "a" });
}

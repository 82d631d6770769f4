import { connect } from "node:http2";
import { waitFor } from "@stagecraft/testing";
import { describe, expect, it } from "vitest";
import { requestOf, startEcho, type EchoHandlers } from "./echo-service.js";

/** More than HTTP/2 sends ahead of a reader. */
const LONG = { text: "x".repeat(200_000) };

async function* short() {
  yield await Promise.resolve({ text: "a" });
}

/** Answers that are too long to be sent to somebody who does not read. */
function longAnswers(onOver: () => void): Partial<EchoHandlers> {
  async function* flood() {
    try {
      for (;;) yield await Promise.resolve(LONG);
    } finally {
      onOver();
    }
  }
  return { say: () => LONG, collect: () => Promise.resolve(LONG), repeat: flood, talk: flood };
}

describe("callers that stay and do not take their answer", () => {
  const ways = {
    "until its deadline": { headers: { "grpc-timeout": "50m" }, limits: {} },
    "for longer than a stream may be idle": { headers: {}, limits: { streamIdleMs: 50 } },
  };
  for (const [name, { headers, limits }] of Object.entries(ways)) {
    it(`hold a call no longer than ${name}`, async () => {
      let numOver = 0;
      const handlers = longAnswers(() => numOver++);
      await using echo = await startEcho(handlers, { server: { limits } });
      const session = connect(`http://127.0.0.1:${echo.port}`);
      const streams = ["Say", "Repeat", "Collect", "Talk"].map((m) =>
        requestOf(session, m, headers),
      );
      await waitFor(() => streams.every(({ readableLength }) => readableLength > 0));
      await waitFor(() => echo.server.inFlight() === 0, { timeoutMs: 3000 });
      await waitFor(() => numOver === 2);
      expect(session.destroyed).toBe(false);
      session.destroy();
    });
  }

  it("hold no place that somebody else needs", async () => {
    const { repeat } = longAnswers(() => undefined);
    const asked: string[] = [];
    const server = { limits: { maxConcurrentCalls: 3, streamIdleMs: 3_600_000 } };
    await using echo = await startEcho(
      {
        repeat(request, context) {
          asked.push(request.text);
          return request.text === "short" ? short() : repeat!(request, context);
        },
      },
      { server },
    );
    const session = connect(`http://127.0.0.1:${echo.port}`);
    const unread = [1, 2, 3].map(() => requestOf(session, "Repeat"));
    await waitFor(() => unread.every(({ readableLength }) => readableLength > 0));
    const heard = async () => {
      const texts: string[] = [];
      for await (const { text } of echo.client.repeat({ text: "short" })) texts.push(text);
      return texts.length;
    };
    // Nobody who has just begun to read is taken for one who does not.
    await waitFor(async () => (await heard().catch(() => 0)) === 1, { timeoutMs: 10_000 });
    await waitFor(() => unread.filter(({ closed }) => closed).length > 0);
    expect(asked).toContain("short");
    session.destroy();
  });

  it("are told apart from those who wait for an answer that takes long", async () => {
    let release = () => {};
    const held = new Promise<void>((resolve) => (release = resolve));
    const say = () => held.then(() => LONG);
    let isCut = false;
    const { talk } = longAnswers(() => (isCut = true));
    const server = { limits: { streamIdleMs: 50 } };
    await using echo = await startEcho({ say, talk: talk! }, { server });
    const answer = echo.client.say({ text: "a" });
    await waitFor(() => echo.server.inFlight() === 1);
    const session = connect(`http://127.0.0.1:${echo.port}`);
    requestOf(session, "Talk"); // is cut after the time that the other has waited then too
    await waitFor(() => isCut);
    release();
    expect(await answer).toEqual(LONG);
    session.destroy();
  });
});

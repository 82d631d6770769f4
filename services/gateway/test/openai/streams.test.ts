import { request as httpRequest, type IncomingMessage } from "node:http";
import { once } from "node:events";
import { connect } from "node:net";
import { StagecraftError } from "@stagecraft/core";
import { waitFor } from "@stagecraft/testing";
import { describe, expect, it } from "vitest";
import { backendOf, CHAT, END, greeter, piece, serve, WEIGHTS } from "./rig.js";
import { SseParser } from "./sse-parser.js";

const STREAM = { ...CHAT, stream: true };

interface Chunk {
  choices: { index: number; delta: { role?: string; content: string }; finish_reason: string }[];
  usage?: { total_tokens: number } | null;
  system_fingerprint: string;
}

const eventsOf = (bytes: Uint8Array, cuts: readonly number[] = []) => {
  const parser = new SseParser();
  const ends = [...cuts, bytes.length];
  ends.forEach((end, i) => parser.push(bytes.subarray(ends[i - 1] ?? 0, end)));
  parser.end();
  return parser.events;
};
const textOf = (events: readonly string[]) =>
  events
    .slice(0, -1)
    .flatMap((event) => (JSON.parse(event) as Chunk).choices)
    .map(({ delta }) => delta.content)
    .join("");

/** A reader that takes nothing until it is told to. */
async function openSlowly(url: string, body: object): Promise<IncomingMessage> {
  const headers = { "content-type": "application/json" };
  const sent = httpRequest(`${url}/v1/chat/completions`, { method: "POST", headers });
  sent.end(JSON.stringify(body));
  const [response] = (await once(sent, "response")) as [IncomingMessage];
  response.pause();
  return response;
}

describe("startOpenAiServer()", () => {
  it("closes though somebody is connected who never asked anything", async () => {
    const rig = await serve();
    const { hostname, port } = new URL(rig.url);
    const socket = connect(Number(port), hostname);
    await once(socket, "connect");
    await (await rig.post("/v1/chat/completions", CHAT)).text();
    await rig.server.close();
    socket.destroy();
  });

  it("finishes what is being answered before it closes, and gives it up after its grace", async () => {
    let release = () => {};
    const held = new Promise<void>((resolve) => (release = resolve));
    const holding = backendOf(async function* (_, signal) {
      yield piece("a", { weights: WEIGHTS });
      await Promise.race([held, once(signal, "abort")]);
      if (signal.aborted) throw signal.reason;
      yield piece("b", END);
    });
    for (const graceMs of [60_000, 0]) {
      const rig = await serve(holding, { graceMs });
      const response = await rig.post("/v1/chat/completions", STREAM);
      const closed = rig.server.close();
      if (graceMs > 0) release();
      const events = eventsOf(new Uint8Array(await response.arrayBuffer()));
      if (graceMs > 0) expect(textOf(events)).toBe("ab");
      await closed;
    }
  });
});

describe("an event stream", () => {
  it("reads the same whichever byte it is cut at, and ends with [DONE]", async () => {
    await using rig = await serve();
    const body = { ...STREAM, stream_options: { include_usage: true } };
    const response = await rig.post("/v1/chat/completions", body);
    expect(response.headers.get("content-type")).toContain("text/event-stream");
    expect(response.headers.get("x-stagecraft-weights")).toBe("v3-abababababab");
    const bytes = new Uint8Array(await response.arrayBuffer());
    const events = eventsOf(bytes);
    expect(events.at(-1)).toBe("[DONE]");
    expect(textOf(events)).toBe("Hé, 你好");
    for (let cut = 1; cut < bytes.length; cut++) expect(eventsOf(bytes, [cut])).toEqual(events);
    const each = Array.from(bytes.subarray(1), (_, i) => i + 1);
    expect(eventsOf(bytes, each)).toEqual(events);
    const chunks = events.slice(0, -1).map((event) => JSON.parse(event) as Chunk);
    expect(chunks[0]!.choices[0]!.delta.role).toBe("assistant");
    expect(chunks.at(-1)).toMatchObject({ choices: [], usage: { total_tokens: 10 } });
    for (const { usage } of chunks.slice(0, -1)) expect(usage).toBeNull();
  });

  it("answers with a status when it fails before its first piece, with an event afterwards", async () => {
    const failing = (numPieces: number) =>
      backendOf(async function* () {
        if (numPieces > 0) yield piece("a", { weights: WEIGHTS });
        await Promise.resolve();
        throw new StagecraftError("resource_exhausted", "no place");
      });
    await using early = await serve(failing(0));
    const refusal = await early.post("/v1/chat/completions", STREAM);
    expect(refusal.status).toBe(429);
    expect(refusal.headers.get("retry-after")).toBe("1");
    await using late = await serve(failing(1));
    const response = await late.post("/v1/chat/completions", STREAM);
    expect(response.status).toBe(200);
    const events = eventsOf(new Uint8Array(await response.arrayBuffer()));
    const code = "rate_limit_exceeded";
    expect(JSON.parse(events.at(-1)!)).toMatchObject({ error: { message: "no place", code } });
  });

  it("ends the answer at the model when its reader leaves", async () => {
    let numEnded = 0;
    const endless = backendOf(async function* (_, signal) {
      try {
        yield piece("a", { weights: WEIGHTS });
        if (!signal.aborted) await once(signal, "abort");
        throw signal.reason;
      } finally {
        numEnded++;
      }
    });
    await using rig = await serve(endless);
    for (const body of [STREAM, { ...STREAM, n: 3 }]) {
      numEnded = 0;
      const gone = new AbortController();
      const response = await rig.post("/v1/chat/completions", body, { signal: gone.signal });
      await response.body!.getReader().read();
      gone.abort();
      await waitFor(() => numEnded === ("n" in body ? 3 : 1));
    }
  });

  it("ends the answer at the model when somebody who waits for all of it leaves", async () => {
    let [begun, ended] = [false, false];
    const endless = backendOf(async function* (_, signal) {
      begun = true;
      await once(signal, "abort");
      ended = true;
      yield piece("", END);
    });
    await using rig = await serve(endless);
    const gone = new AbortController();
    const asked = rig.post("/v1/chat/completions", CHAT, { signal: gone.signal });
    await waitFor(() => begun);
    gone.abort();
    await expect(asked).rejects.toThrow();
    await waitFor(() => ended);
  });

  it("pulls no more for a slow reader than its connection takes, and holds nobody else", async () => {
    let pulled = 0;
    const NUM_PIECES = 2000;
    const large = { ...piece("", { weights: WEIGHTS }), text: "x".repeat(8192) };
    const flood = backendOf(async function* ({ requestId }) {
      for (let i = 0; i < NUM_PIECES; i++) {
        pulled++;
        yield large;
      }
      yield piece(requestId.slice(0, 3), END);
    });
    const models = {
      policies: () =>
        new Map([
          ["m", flood],
          ["quick", greeter],
        ]),
      rewards: () => new Map(),
    };
    await using rig = await serve(flood, { models });
    const slow = await openSlowly(rig.url, STREAM);
    await waitFor(() => pulled > 0);
    for (let i = 0; i < 10; i++) {
      const quick = await rig.post("/v1/chat/completions", { ...STREAM, model: "quick" });
      expect(textOf(eventsOf(new Uint8Array(await quick.arrayBuffer())))).toBe("Hé, 你好");
    }
    expect(pulled).toBeLessThan(NUM_PIECES / 2);
    let length = 0;
    for await (const bytes of slow) length += (bytes as Buffer).length;
    expect(pulled).toBe(NUM_PIECES);
    expect(length).toBeGreaterThan(NUM_PIECES * 8192);
  });

  it("lets a reader go that takes nothing", async () => {
    let left = false;
    const large = { ...piece("", { weights: WEIGHTS }), text: "x".repeat(65536) };
    const flood = backendOf(async function* () {
      try {
        for (;;) yield large;
      } finally {
        left = true;
      }
    });
    await using rig = await serve(flood, { stallMs: 50 });
    const slow = await openSlowly(rig.url, STREAM);
    slow.on("error", () => undefined);
    await waitFor(() => left);
  });
});

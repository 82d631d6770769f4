import { getEventListeners, once } from "node:events";
import { connect, type IncomingHttpHeaders } from "node:http2";
import { Client, credentials, Metadata, status as Status, type ServiceError } from "@grpc/grpc-js";
import { StagecraftError } from "@stagecraft/core";
import { createLogger, createMetrics, recordSpans, type RecordedSpan } from "@stagecraft/telemetry";
import { gate, waitFor } from "@stagecraft/testing";
import { describe, expect, it, vi } from "vitest";
import { idMetadata, type CallContext } from "@stagecraft/rpc";
import { aborted, echoClient, requestOf, startEcho, type Echo } from "./echo-service.js";

async function* texts(...items: string[]) {
  for (const text of items) yield await Promise.resolve({ text });
}
async function collect<T>(items: AsyncIterable<T>): Promise<T[]> {
  const all: T[] = [];
  for await (const item of items) all.push(item);
  return all;
}
const wait = { text: "" };

interface BegunCall extends CallContext {
  /** Why it ended. */
  over: Promise<unknown>;
}

/** A handler that waits for the end of its call. */
function untilAborted(begun: { open(call: BegunCall): void }) {
  return async (_: Echo, context: CallContext) => {
    const over = aborted(context);
    begun.open({ ...context, over });
    await over;
    return wait;
  };
}

/** Deadlines on a clock that moves when it is told to, however slow the machine is. */
function stoppedClock() {
  vi.useFakeTimers({ toFake: ["Date", "setTimeout", "clearTimeout"] });
  return {
    async advance(ms: number) {
      vi.advanceTimersByTime(ms);
      await new Promise((resolve) => setImmediate(resolve)); // what fired has come through
    },
    [Symbol.dispose]: () => void vi.useRealTimers(),
  };
}

describe("calls", () => {
  it("carries all four kinds", async () => {
    await using echo = await startEcho();
    expect(await echo.client.say({ text: "hi" })).toEqual({ text: "hi" });
    expect(await collect(echo.client.repeat({ text: "x" }))).toEqual([
      { text: "x0" },
      { text: "x1" },
      { text: "x2" },
    ]);
    expect(await echo.client.collect(texts("a", "b"))).toEqual({ text: "a,b" });
    expect(await collect(echo.client.talk(texts("a", "b")))).toEqual([
      { text: "re: a" },
      { text: "re: b" },
    ]);
  });

  it("talks back and forth on a bidirectional stream", async () => {
    await using echo = await startEcho();
    const turns: string[] = [];
    let next = gate<string>();
    async function* speak() {
      for (let i = 0; i < 3; i++) {
        yield { text: `${i}` };
        turns.push(await next.opened);
        next = gate<string>();
      }
    }
    for await (const { text } of echo.client.talk(speak())) next.open(text);
    expect(turns).toEqual(["re: 0", "re: 1", "re: 2"]);
  });

  it("are spanned at both ends, streams until their last message or the reader leaves", async () => {
    await using recorded = recordSpans();
    await using echo = await startEcho();
    const [say, repeat] = ["test.v1.EchoService/Say", "test.v1.EchoService/Repeat"];
    const named = (name: string) => recorded.spans().filter((span) => span.name === name);
    await echo.client.say(wait);
    const isClient = ({ parentSpanId }: RecordedSpan) => parentSpanId === undefined;
    for await (const _ of echo.client.repeat(wait)) {
      expect(named(repeat).filter(isClient)).toEqual([]);
    }
    for (const name of [say, repeat]) {
      await waitFor(() => named(name).length === 2);
      const client = named(name).find(isClient);
      const server = named(name).find((span) => !isClient(span));
      expect(server!.parentSpanId).toBe(client!.spanId);
    }
    for await (const _ of echo.client.repeat(wait)) break;
    await waitFor(() => named(repeat).filter(isClient).length === 2);
  });

  it("moves a fast stream at the pace of a slow reader", async () => {
    let produced = 0;
    await using echo = await startEcho({
      async *repeat() {
        for (; produced < 1000; produced++)
          yield await Promise.resolve({ text: "x".repeat(64_000) });
      },
    });
    const stream = echo.client.repeat({ text: "" })[Symbol.asyncIterator]();
    await stream.next();
    // Windows and buffers fill, then the generator stands still.
    let last = -1;
    await waitFor(
      () => {
        const still = produced === last;
        last = produced;
        return still;
      },
      { intervalMs: 200 },
    );
    expect(produced).toBeLessThan(500);
    await stream.return?.();
  });
});

describe("errors", () => {
  it("pass with code, reason and details, never with their cause", async () => {
    const secret = new Error("password hunter2");
    await using echo = await startEcho({
      say: () => {
        throw new StagecraftError("not_found", "no model “a”", {
          cause: secret,
          details: { model: "a" },
        });
      },
      async *repeat() {
        yield await Promise.resolve({ text: "one" });
        throw new StagecraftError("failed_precondition", "then not");
      },
    });
    const failed = echo.client.say(wait).catch((error: unknown) => error as StagecraftError);
    expect(await failed).toMatchObject({
      code: "not_found",
      reason: "no model “a”",
      details: { model: "a" },
    });
    const { cause } = (await failed) as { cause: ServiceError };
    expect(JSON.stringify([cause, cause.metadata.toJSON(), cause.details])).not.toContain(
      "hunter2",
    );
    await expect(collect(echo.client.repeat(wait))).rejects.toMatchObject({
      code: "failed_precondition",
    });
  });

  it("hide what an unexpected throw says and log it under the call's id", async () => {
    const lines: string[] = [];
    const logger = createLogger({
      service: "t",
      destination: { write: (line) => lines.push(line) },
    });
    await using echo = await startEcho(
      { say: () => Promise.reject(new TypeError("secret is undefined")) },
      { server: { logger } },
    );
    const error = await echo.client.say(wait).catch((thrown: unknown) => thrown as StagecraftError);
    expect(error).toMatchObject({ code: "internal" });
    expect((error as StagecraftError).message).not.toContain("secret");
    const { callId } = (error as StagecraftError).details as { callId: string };
    expect(callId).toMatch(/-\d+$/);
    const line = lines.find((text) => text.includes(callId));
    expect(line).toContain("secret is undefined");
  });

  it("are logged with the run and task that the call is for", async () => {
    const lines: string[] = [];
    const logger = createLogger({
      service: "t",
      destination: { write: (line) => lines.push(line) },
    });
    const refuse = () => {
      throw new StagecraftError("invalid_argument", "bad prompt");
    };
    await using echo = await startEcho({ say: refuse }, { server: { logger } });
    const of = (runId: string, taskId: string) => ({ metadata: idMetadata({ runId, taskId }) });
    await expect(echo.client.say(wait, of("r1", "u000001-000002"))).rejects.toThrow("bad prompt");
    await expect(echo.client.say(wait, of("ä\n", "x".repeat(129)))).rejects.toThrow("bad prompt");
    const [named, unnamed] = lines.map((line) => JSON.parse(line) as Record<string, unknown>);
    expect(named).toMatchObject({ runId: "r1", taskId: "u000001-000002" });
    expect(unnamed).not.toHaveProperty("runId");
    expect(unnamed).not.toHaveProperty("taskId");
  });

  it("survive texts that HTTP/2 headers cannot carry", async () => {
    const reasons = [
      "lone \ud800 surrogate",
      "new\nline \u0000",
      "100% ümläut 漢字",
      "x".repeat(1e6),
    ];
    await using echo = await startEcho({
      say: ({ text }) => {
        throw new StagecraftError("aborted", reasons[Number(text)]!, {
          details: Number(text) % 2 ? { big: "y".repeat(1e6) } : { huge: 10n },
        });
      },
    });
    for (const [i, reason] of reasons.entries()) {
      const failed = echo.client.say({ text: String(i) });
      await expect(failed).rejects.toMatchObject({ code: "aborted" });
      await failed.catch(({ reason: got }: StagecraftError) =>
        expect(got.slice(0, 5)).toBe(reason.slice(0, 5)),
      );
    }
  });

  it("become INVALID_ARGUMENT for bytes that do not decode, in every kind of call", async () => {
    let numHandled = 0;
    const seen = () => ({ text: String(++numHandled) });
    await using echo = await startEcho({ say: seen });
    using raw = rawClient(echo.port);
    const broken = Buffer.from('{"text": "cut of');
    for (const method of ["Say", "Collect", "Repeat", "Talk"]) {
      expect(await raw.send(`/test.v1.EchoService/${method}`, broken)).toBe(
        Status.INVALID_ARGUMENT,
      );
    }
    expect(numHandled).toBe(0);
    expect(await echo.client.say({ text: "fine" })).toEqual({ text: "1" });
  });
});

describe("cancellation and deadlines", () => {
  it("reach the handler when the client cancels", async () => {
    const seen = gate<unknown>();
    const started = gate();
    await using echo = await startEcho({
      async say(_, context) {
        started.open();
        seen.open(await aborted(context));
        return wait;
      },
    });
    const stop = new AbortController();
    const call = echo.client.say(wait, { signal: stop.signal });
    await started.opened;
    stop.abort();
    await expect(call).rejects.toMatchObject({ code: "cancelled" });
    expect(await seen.opened).toMatchObject({ code: "cancelled" });
  });

  it("can share one signal among many calls, which let go of it", async () => {
    await using echo = await startEcho();
    const warnings: Error[] = [];
    const onWarning = (warning: Error) => warnings.push(warning);
    process.on("warning", onWarning);
    const { signal } = new AbortController();
    await Promise.all(Array.from({ length: 20 }, () => echo.client.say(wait, { signal })));
    expect(getEventListeners(signal, "abort")).toEqual([]);
    await new Promise((resolve) => setImmediate(resolve)); // warnings come a tick later
    process.off("warning", onWarning);
    expect(warnings).toEqual([]);
  });

  it("reach the generator when the reader leaves a stream early", async () => {
    const left = gate();
    await using echo = await startEcho({
      async *repeat(_, context) {
        try {
          yield { text: "first" };
          await aborted(context);
          yield { text: "nobody hears" };
        } finally {
          left.open();
        }
      },
    });
    for await (const { text } of echo.client.repeat(wait)) {
      expect(text).toBe("first");
      break;
    }
    await left.opened;
  });

  it("end a call at its deadline on both sides", async () => {
    const begun = gate<BegunCall>();
    await using echo = await startEcho({ say: untilAborted(begun) });
    using clock = stoppedClock();
    const call = echo.client.say(wait, { timeoutMs: 100 });
    const failed = expect(call).rejects.toMatchObject({ code: "deadline_exceeded" });
    const { deadline, signal, over } = await begun.opened;
    expect(deadline).toBe(Date.now() + 100);
    await clock.advance(99);
    expect(signal.aborted).toBe(false);
    await clock.advance(1);
    expect(await over).toMatchObject({ code: "deadline_exceeded" });
    await failed;
  });

  it("reach the handler from the server itself when the caller stays", async () => {
    const begun = gate<BegunCall>();
    await using echo = await startEcho({ say: untilAborted(begun) });
    const session = connect(`http://127.0.0.1:${echo.port}`);
    using clock = stoppedClock();
    const stream = requestOf(session, "Say", { "grpc-timeout": "100m" });
    const { signal, over } = await begun.opened;
    await clock.advance(99);
    expect(signal.aborted).toBe(false);
    await clock.advance(1);
    expect(await over).toMatchObject({ code: "deadline_exceeded" });
    const [headers] = (await once(stream, "response")) as [IncomingHttpHeaders];
    expect(headers["grpc-status"]).toBe(String(Status.DEADLINE_EXCEEDED));
    session.destroy();
  });

  it("pass on to calls made while serving one", async () => {
    const begun = gate<BegunCall>();
    await using back = await startEcho({ say: untilAborted(begun) });
    await using front = await startEcho({
      say: (request, context) => back.client.say(request, { parent: context }),
    });
    const traceparent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    using clock = stoppedClock();
    const call = front.client.say(wait, { timeoutMs: 400, metadata: { traceparent } });
    const failed = expect(call).rejects.toMatchObject({ code: "deadline_exceeded" });
    const { deadline, metadata, over } = await begun.opened;
    expect(deadline).toBe(Date.now() + 400);
    expect(metadata("traceparent")).toContain("0af7651916cd43dd8448eb211c80319c");
    await clock.advance(400);
    expect(await over).toMatchObject({ code: "deadline_exceeded" });
    await failed;
  });

  it("are never absent: a client has a default, in every kind of call", async () => {
    const seen: number[] = [];
    const note = ({ deadline }: CallContext) => seen.push(deadline);
    await using echo = await startEcho({
      say: (request, context) => (note(context), request),
      async *repeat(request, context) {
        note(context);
        yield await Promise.resolve(request);
      },
      collect: (_, context) => Promise.resolve((note(context), wait)),
      async *talk(_, context) {
        note(context);
        yield await Promise.resolve(wait);
      },
    });
    await echo.client.say(wait);
    await collect(echo.client.repeat(wait));
    await echo.client.collect(texts("a"));
    await collect(echo.client.talk(texts("a")));
    expect(seen).toHaveLength(4);
    for (const deadline of seen) expect(deadline).toBeLessThan(Date.now() + 31_000);
  });

  it("cannot be switched off", () => {
    for (const timeoutMs of [Infinity, 0, -1, NaN]) {
      expect(() => echoClient(1, { timeoutMs })).toThrow("[invalid_argument]");
    }
  });
});

describe("limits", () => {
  it("refuse messages beyond their size, both ways, and serve on", async () => {
    const limits = { maxReceiveBytes: 10_000, maxSendBytes: 20_000 };
    await using echo = await startEcho(
      { say: ({ text }) => ({ text: text === "big" ? "x".repeat(30_000) : "ok" }) },
      { server: { limits } },
    );
    for (const text of ["x".repeat(11_000), "big"]) {
      await expect(echo.client.say({ text })).rejects.toMatchObject({ code: "resource_exhausted" });
    }
    expect(await echo.client.say({ text: "x".repeat(9_000) })).toEqual({ text: "ok" });
  });

  it("refuse a small message that unpacks to a large one", async () => {
    await using echo = await startEcho({}, { server: { limits: { maxReceiveBytes: 100_000 } } });
    using raw = rawClient(echo.port, { "grpc.default_compression_algorithm": 2 });
    const bomb = Buffer.from(JSON.stringify({ text: "0".repeat(3_000_000) }));
    const code = await raw.send("/test.v1.EchoService/Say", bomb);
    expect(code).toBe(Status.RESOURCE_EXHAUSTED);
  });

  it("bound calls in flight per method, leaving others and health alone", async () => {
    const finish = gate();
    const metrics = createMetrics({ service: "t" });
    await using echo = await startEcho(
      { say: async () => finish.opened.then(() => wait) },
      { server: { limits: { maxConcurrentCalls: 2 }, metrics } },
    );
    const running = [echo.client.say(wait), echo.client.say(wait)];
    await waitFor(() => echo.server.inFlight() === 2);
    await expect(echo.client.say(wait)).rejects.toMatchObject({ code: "resource_exhausted" });
    expect(await echo.client.collect(texts("other"))).toEqual({ text: "other" });
    finish.open();
    await Promise.all(running);
    await waitFor(() => echo.server.inFlight() === 0);
    expect(await echo.client.say(wait)).toEqual(wait);
    const exposition = await metrics.text();
    expect(exposition).toMatch(/calls_total\{.*Say".*code="RESOURCE_EXHAUSTED".*\} 1/);
    expect(exposition).toMatch(/calls_total\{.*Say".*code="OK".*\} 3/);
  });

  it("count a cancelled call until its handler ends", async () => {
    const finish = gate();
    const started = gate();
    await using echo = await startEcho(
      {
        say: async () => {
          started.open();
          await finish.opened; // deaf to the signal
          return wait;
        },
      },
      { server: { limits: { maxConcurrentCalls: 1 } } },
    );
    const stop = new AbortController();
    const first = echo.client.say(wait, { signal: stop.signal });
    await started.opened;
    stop.abort();
    await expect(first).rejects.toMatchObject({ code: "cancelled" });
    await expect(echo.client.say(wait)).rejects.toMatchObject({ code: "resource_exhausted" });
    finish.open();
    await waitFor(() => echo.server.inFlight() === 0);
    await echo.client.say(wait);
  });

  it("refuse nonsense in the settings", async () => {
    for (const limits of [{ maxConcurrentCalls: 0 }, { maxReceiveBytes: -1 }]) {
      await expect(startEcho({}, { server: { limits } })).rejects.toThrow("[invalid_argument]");
    }
    await expect(startEcho({}, { client: { timeoutMs: 0 } })).rejects.toThrow("timeoutMs");
  });
});

/** Sends bytes as they are; resolves with the status code. */
function rawClient(port: number, options: Record<string, unknown> = {}) {
  const client = new Client(`127.0.0.1:${port}`, credentials.createInsecure(), options);
  const same = (bytes: Buffer) => bytes;
  return {
    send: (path: string, bytes: Buffer): Promise<Status> =>
      new Promise((resolve) => {
        const call = client.makeBidiStreamRequest(path, same, same, new Metadata(), {
          deadline: Date.now() + 5000,
        });
        call.on("data", () => undefined);
        call.on("error", () => undefined);
        call.on("status", ({ code }: { code: Status }) => resolve(code));
        call.end(bytes);
      }),
    [Symbol.dispose]: () => client.close(),
  };
}

import { connect } from "node:http2";
import { Client, credentials } from "@grpc/grpc-js";
import { health } from "@stagecraft/contracts";
import { createLogger } from "@stagecraft/telemetry";
import { gate, waitFor } from "@stagecraft/testing";
import { describe, expect, it } from "vitest";
import { createRpcClient, createRpcServer } from "@stagecraft/rpc";
import { aborted, echoClient, EchoService, echoHandlers, startEcho } from "./echo-service.js";

const { HealthCheckResponse_ServingStatus: Serving } = health;
const wait = { text: "" };
const healthClient = (port: number) =>
  createRpcClient({ service: health.HealthService }, `127.0.0.1:${port}`);

describe("health", () => {
  it("reports per service and for the whole, and NOT_FOUND for strangers", async () => {
    await using echo = await startEcho();
    await using client = healthClient(echo.port);
    for (const service of ["", "test.v1.EchoService"]) {
      expect(await client.check({ service })).toEqual({ status: Serving.SERVING });
    }
    await expect(client.check({ service: "other" })).rejects.toMatchObject({ code: "not_found" });
    echo.server.setHealth("test.v1.EchoService", "NOT_SERVING");
    expect(await client.check({ service: "test.v1.EchoService" })).toEqual({
      status: Serving.NOT_SERVING,
    });
    expect(await client.check({ service: "" })).toEqual({ status: Serving.SERVING });
  });

  it("tells watchers of every change, also for a service yet to come", async () => {
    await using echo = await startEcho();
    await using client = healthClient(echo.port);
    const seen: number[] = [];
    const stop = new AbortController();
    const watching = (async () => {
      for await (const { status } of client.watch({ service: "late" }, { signal: stop.signal })) {
        seen.push(status);
      }
    })().catch(() => undefined);
    await waitFor(() => seen.length === 1);
    echo.server.setHealth("late", "SERVING");
    await waitFor(() => seen.length === 2);
    echo.server.setHealth("late", "NOT_SERVING");
    await waitFor(() => seen.length === 3);
    expect(seen).toEqual([Serving.SERVICE_UNKNOWN, Serving.SERVING, Serving.NOT_SERVING]);
    stop.abort();
    await watching;
  });

  it("is on a port of its own for probes without certificate or token", async () => {
    const tokens = ["0123456789abcdef"];
    await using echo = await startEcho(
      {},
      { server: { auth: { tokens }, probe: { host: "127.0.0.1", port: 0 } } },
    );
    await using probe = healthClient(echo.probePort!);
    expect(await probe.check({ service: "" })).toEqual({ status: Serving.SERVING });
    const stranger = echoClient(echo.probePort!);
    await expect(stranger.say(wait)).rejects.toMatchObject({ code: "unimplemented" });
    stranger.close();
  });
});

describe("drain()", () => {
  it("lets calls and streams in flight finish, refuses new connections, reports NOT_SERVING", async () => {
    const started = gate();
    const finish = gate();
    await using echo = await startEcho({
      async say() {
        started.open();
        await finish.opened;
        return { text: "finished" };
      },
    });
    await using client = healthClient(echo.port);
    const seen: number[] = [];
    const watching = (async () => {
      for await (const { status } of client.watch({ service: "" })) seen.push(status);
    })();
    await waitFor(() => seen.length === 1);
    const call = echo.client.say(wait);
    await started.opened;
    const drained = echo.server.drain(5000);
    await waitFor(() => seen.at(-1) === Serving.NOT_SERVING);
    await watching;
    await using late = echoClient(echo.port);
    await expect(late.say(wait, { timeoutMs: 500 })).rejects.toMatchObject({ code: "unavailable" });
    finish.open();
    expect(await call).toEqual({ text: "finished" });
    expect(await drained).toBe(true);
  });

  it("cuts what does not finish within the grace", async () => {
    const seen = gate<unknown>();
    const started = gate();
    await using echo = await startEcho({
      async *repeat(_, context) {
        yield wait;
        started.open();
        seen.open(await aborted(context));
      },
    });
    const reading = (async () => {
      for await (const _ of echo.client.repeat(wait));
    })();
    const failed = expect(reading).rejects.toMatchObject({ code: "unavailable" });
    await started.opened;
    const before = performance.now();
    expect(await echo.server.drain(150)).toBe(false);
    expect(performance.now() - before).toBeLessThan(1000);
    await failed;
    expect(await seen.opened).toMatchObject({ code: "cancelled" });
  });

  it("keeps serving for the notice, for balancers that look at health only", async () => {
    await using echo = await startEcho();
    await echo.client.say(wait);
    const drained = echo.server.drain(5000, { noticeMs: 200 });
    await using late = echoClient(echo.port);
    expect(await late.say({ text: "still" })).toEqual({ text: "still" });
    expect(await drained).toBe(true);
  });
});

describe("access", () => {
  it("refuses plaintext off loopback, on both sides", () => {
    for (const host of ["0.0.0.0", "::", "10.1.2.3", "example.org"]) {
      expect(() => createRpcServer({ host })).toThrow("without TLS");
    }
    for (const address of ["10.0.0.1:1", "dns:///policy:1", "policy:1", "127.0.0.1:1,10.0.0.1:1"]) {
      expect(() => echoClient(address)).toThrow("without TLS");
      echoClient(address, { allowPlaintext: true }).close();
    }
    const auth = { tokens: ["0123456789abcdef"] };
    createRpcServer({ host: "0.0.0.0", allowPlaintext: true, auth });
  });

  it("lets no handler run without the right token, and logs it", async () => {
    const lines: string[] = [];
    const logger = createLogger({
      service: "t",
      destination: { write: (line) => lines.push(line) },
    });
    let numHandled = 0;
    const say = () => ({ text: String(++numHandled) });
    const good = "correct-horse-battery";
    await using echo = await startEcho(
      { say },
      { server: { auth: { tokens: ["another-token-0000", good] }, logger } },
    );
    for (const token of [undefined, "wrong-token-000000", good.slice(1), `${good}x`]) {
      await using client = echoClient(echo.port, { token });
      await expect(client.say(wait)).rejects.toMatchObject({ code: "unauthenticated" });
      const upload = client.collect(
        (async function* () {
          yield await Promise.resolve(wait);
        })(),
      );
      await expect(upload).rejects.toMatchObject({ code: "unauthenticated" });
    }
    expect(numHandled).toBe(0);
    expect(lines.filter((line) => line.includes("bearer token"))).toHaveLength(8);
    expect(lines.join()).not.toContain("wrong-token");
    await using right = echoClient(echo.port, { token: good });
    expect(await right.say(wait)).toEqual({ text: "1" });
    await using anonymous = healthClient(echo.port);
    expect(await anonymous.check({ service: "" })).toEqual({ status: Serving.SERVING });
  });

  it("fails closed on an empty or weak token list", () => {
    for (const tokens of [[], [""], ["short"], [" ".repeat(20)]]) {
      expect(() => createRpcServer({ auth: { tokens } })).toThrow("auth.tokens");
    }
  });
});

describe("reflection", () => {
  it("lists services when asked for, and is off otherwise", async () => {
    const identity = (bytes: Buffer) => bytes;
    const ask = (port: number) =>
      new Promise<string>((resolve) => {
        const client = new Client(`127.0.0.1:${port}`, credentials.createInsecure());
        const call = client.makeBidiStreamRequest(
          "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo",
          identity,
          identity,
        );
        call.on("data", (bytes: Buffer) => {
          resolve(bytes.toString());
          call.cancel();
        });
        call.on("error", ({ message }) => resolve(message));
        call.on("close", () => client.close());
        call.write(Buffer.from([0x3a, 0x00])); // ServerReflectionRequest { list_services: "" }
      });
    await using open = await startEcho({}, { server: { reflection: true } });
    expect(await ask(open.port)).toContain("stagecraft.policy.v1.PolicyService");
    await using shut = await startEcho();
    expect(await ask(shut.port)).toContain("UNIMPLEMENTED");
  });
});

describe("hostile peers", () => {
  it("do no harm with garbage, odd headers and a thousand idle connections", async () => {
    await using echo = await startEcho();
    const sessions = Array.from({ length: 1000 }, () =>
      connect(`http://127.0.0.1:${echo.port}`).on("error", () => undefined),
    );
    const headers = {
      ":method": "POST",
      ":path": "/test.v1.EchoService/Say",
      "content-type": "application/grpc",
    };
    const [first, second, third, fourth] = sessions;
    first!
      .request(headers)
      .on("error", () => undefined)
      .end(Buffer.from([1, 2, 3]));
    second!
      .request({ ...headers, "grpc-timeout": "soon" })
      .on("error", () => undefined)
      .end();
    third!
      .request({ ...headers, "grpc-encoding": "gzip" })
      .on("error", () => undefined)
      .end(Buffer.from([1, 0, 0, 0, 4, 9, 9, 9, 9]));
    // Says a gigabyte will follow, sends nothing, stays.
    fourth!
      .request(headers)
      .on("error", () => undefined)
      .write(Buffer.from([0, 0x40, 0, 0, 0]));
    for (let i = 0; i < 20; i++)
      expect(await echo.client.say({ text: "ok" })).toEqual({ text: "ok" });
    for (const session of sessions) session.destroy();
    await waitFor(() => echo.server.inFlight() === 0);
  });
});

describe("start()", () => {
  it("names a port that is taken", async () => {
    await using echo = await startEcho();
    await using second = createRpcServer({ port: echo.port });
    await expect(second.start()).rejects.toMatchObject({ code: "already_exists" });
  });

  it("needs a handler for every method", () => {
    const server = createRpcServer();
    const { say: _, ...rest } = echoHandlers;
    expect(() => server.addService(EchoService, rest as typeof echoHandlers)).toThrow(
      "no handler for /test.v1.EchoService/Say",
    );
  });
});

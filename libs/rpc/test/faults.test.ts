import { writeFile } from "node:fs/promises";
import { createLogger } from "@stagecraft/telemetry";
import { createFaultProxy, gate, makeCertificates, tempDir, waitFor } from "@stagecraft/testing";
import { describe, expect, it } from "vitest";
import { createRpcServer, type RpcServer } from "@stagecraft/rpc";
import {
  echoClient,
  EchoService,
  echoHandlers,
  startEcho,
  type EchoClient,
} from "./echo-service.js";

const wait = { text: "" };

/** Calls without pause in several lanes until stopped; returns what failed. */
function load(client: EchoClient, lanes = 8) {
  let stopped = false;
  let done = 0;
  const failures: unknown[] = [];
  const running = Promise.all(
    Array.from({ length: lanes }, async () => {
      while (!stopped) {
        await client.say({ text: "load" }).then(
          () => done++,
          (error: unknown) => failures.push(error),
        );
      }
    }),
  );
  return {
    done: () => done,
    stop: async () => {
      stopped = true;
      await running;
      return failures;
    },
  };
}

async function startServer(port = 0): Promise<{ server: RpcServer; port: number }> {
  const server = createRpcServer({ port });
  server.addService(EchoService, echoHandlers);
  return { server, port: (await server.start()).port };
}

describe("a client of two servers", () => {
  it("spreads calls over both", async () => {
    const counts = [0, 0];
    const say = (i: number) => () => {
      counts[i]!++;
      return wait;
    };
    await using a = await startEcho({ say: say(0) });
    await using b = await startEcho({ say: say(1) });
    await using client = echoClient(`127.0.0.1:${a.port},127.0.0.1:${b.port}`);
    await client.say(wait);
    await waitFor(async () => {
      await client.say(wait);
      return counts[0]! > 0 && counts[1]! > 0;
    });
    const before = [...counts];
    for (let i = 0; i < 20; i++) await client.say(wait);
    expect([counts[0]! - before[0]!, counts[1]! - before[1]!]).toEqual([10, 10]);
  });

  it("fails no idempotent call while connections are cut, and some without retries", async () => {
    await using a = await startEcho();
    await using b = await startEcho();
    await using proxy = await createFaultProxy(a.port);
    const address = `127.0.0.1:${proxy.port},127.0.0.1:${b.port}`;
    for (const idempotent of ["all", []] as const) {
      await using client = echoClient(address, { idempotent });
      const traffic = load(client);
      await waitFor(() => traffic.done() > 50 && proxy.numConnections() > 0);
      for (let i = 0; i < 5; i++) {
        const mark = traffic.done();
        proxy.cut();
        await waitFor(() => traffic.done() > mark + 50 && proxy.numConnections() > 0);
      }
      const failures = await traffic.stop();
      if (idempotent === "all") expect(failures).toEqual([]);
      else expect(failures.length).toBeGreaterThan(0); // the control
    }
  });

  it("fails no call while servers are drained and replaced in turn", async () => {
    let first = await startServer();
    let second = await startServer();
    const address = `127.0.0.1:${first.port},127.0.0.1:${second.port}`;
    await using client = echoClient(address, { idempotent: "all" });
    const traffic = load(client);
    for (let i = 0; i < 6; i++) {
      const mark = traffic.done();
      await waitFor(() => traffic.done() > mark + 50);
      expect(await first.server.drain(5000)).toBe(true);
      first = await startServer(first.port);
      const between = traffic.done();
      await waitFor(() => traffic.done() > between + 50);
      expect(await second.server.drain(5000)).toBe(true);
      second = await startServer(second.port);
    }
    expect(await traffic.stop()).toEqual([]);
    await first.server.drain(0);
    await second.server.drain(0);
  });
});

describe("retries", () => {
  it("never repeat what is not idempotent, nor a stream that has begun", async () => {
    let numCalls = 0;
    const begun = gate();
    await using echo = await startEcho({
      async *repeat(_, { signal }) {
        numCalls++;
        yield wait;
        await new Promise((resolve) => signal.addEventListener("abort", resolve));
      },
    });
    await using proxy = await createFaultProxy(echo.port);
    await using client = echoClient(proxy.port, { idempotent: "all" });
    const reading = (async () => {
      for await (const _ of client.repeat(wait)) begun.open();
    })();
    const failed = expect(reading).rejects.toMatchObject({ code: "unavailable" });
    await begun.opened;
    proxy.cut();
    await failed;
    expect(numCalls).toBe(1);
  });

  it("find a server that starts later, when asked to wait", async () => {
    const { server, port } = await startServer();
    await server.drain(0);
    await using client = echoClient(port);
    await expect(client.say(wait)).rejects.toMatchObject({ code: "unavailable" });
    await expect(client.waitForReady(50)).rejects.toMatchObject({ code: "unavailable" });
    const waiting = client.say({ text: "late" }, { waitForReady: true });
    const late = await startServer(port);
    expect(await waiting).toEqual({ text: "late" });
    await late.server.drain(0);
  });
});

describe("connections", () => {
  it("are renewed by age without failing a call", async () => {
    await using echo = await startEcho(
      {},
      { server: { limits: { maxConnectionAgeMs: 100, maxConnectionAgeGraceMs: 1000 } } },
    );
    await using proxy = await createFaultProxy(echo.port);
    await using client = echoClient(proxy.port, { idempotent: "all" });
    let numRenewed = 0;
    let open = 0;
    const traffic = load(client, 2);
    await waitFor(() => {
      if (proxy.numConnections() > open) numRenewed++;
      open = proxy.numConnections();
      return numRenewed >= 3;
    });
    expect(await traffic.stop()).toEqual([]);
  });
});

describe("TLS", () => {
  it("lets in who shows the right certificate only, and logs the others", async () => {
    await using dir = await tempDir();
    makeCertificates(dir.path);
    const file = (name: string) => dir.file(name);
    const lines: string[] = [];
    const logger = createLogger({
      service: "t",
      destination: { write: (line) => lines.push(line) },
    });
    const identities: (string | undefined)[] = [];
    await using echo = await startEcho(
      {
        say: (_, { identity }) => {
          identities.push(identity);
          return wait;
        },
      },
      {
        server: {
          logger,
          tls: {
            certFile: file("server.crt"),
            keyFile: file("server.key"),
            clientCaFile: file("ca.crt"),
          },
        },
      },
    );
    const caFile = file("ca.crt");
    const shows = (name: string) => ({
      caFile,
      serverName: "localhost",
      certFile: file(`${name}.crt`),
      keyFile: file(`${name}.key`),
    });
    await using right = echoClient(echo.port, { tls: shows("client") });
    await right.say(wait);
    expect(identities).toEqual(["rollout"]);
    const strangers = {
      "no certificate": { caFile, serverName: "localhost" },
      "certificate of another authority": shows("foreign"),
      "expired certificate": shows("expired"),
      "server of another name": { ...shows("client"), serverName: "policy" },
      "server of another authority": { ...shows("client"), caFile: file("foreign.crt") },
    };
    for (const [name, tls] of Object.entries(strangers)) {
      await using client = echoClient(echo.port, { tls });
      const refused = client.say(wait, { timeoutMs: 2000 });
      await expect(refused, name).rejects.toMatchObject({ code: "unavailable" });
    }
    await using plain = echoClient(echo.port);
    await expect(plain.say(wait)).rejects.toMatchObject({ code: "unavailable" });
    expect(identities).toHaveLength(1);
    await waitFor(() => lines.filter((line) => line.includes("handshake refused")).length >= 3);
  });

  it("names a file that is missing or no PEM", async () => {
    await using dir = await tempDir();
    makeCertificates(dir.path);
    const keyFile = dir.file("server.key");
    expect(() => createRpcServer({ tls: { certFile: "/no/such.crt", keyFile } })).toThrow(
      "[not_found] cannot read /no/such.crt",
    );
    const certFile = dir.file("server.der");
    await writeFile(certFile, Buffer.from([0x30, 0x82]));
    expect(() => createRpcServer({ tls: { certFile, keyFile } })).toThrow("is not a PEM file");
    expect(() => echoClient(1, { tls: { certFile: keyFile } })).toThrow("together");
  });
});

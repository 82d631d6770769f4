import dns from "node:dns";
import { createServer, type Socket } from "node:net";
import { createFaultProxy, gate, waitFor } from "@stagecraft/testing";
import { afterEach, describe, expect, it, vi } from "vitest";
import { echoClient, echoHandlers, EchoService, startEcho } from "./echo-service.js";
import { createRpcServer } from "@stagecraft/rpc";

afterEach(() => {
  vi.useRealTimers();
  vi.restoreAllMocks();
});

/** Accepts connections and never says a word: a client stays in the midst of connecting to it. */
async function blackHole(host: string, port: number) {
  const sockets: Socket[] = [];
  const server = createServer((socket) => void sockets.push(socket));
  await new Promise<void>((resolve) => server.listen(port, host, resolve));
  return {
    numConnections: () => sockets.length,
    [Symbol.asyncDispose]: () => {
      for (const socket of sockets) socket.destroy();
      return new Promise<void>((resolve) => server.close(() => resolve()));
    },
  };
}

/** A server that says its host; on loopback there are many. */
async function startOn(host: string, port = 0) {
  const server = createRpcServer({ host, port });
  server.addService(EchoService, { ...echoHandlers, say: () => ({ text: host }) });
  const { port: bound } = await server.start();
  return { port: bound, [Symbol.asyncDispose]: () => server[Symbol.asyncDispose]() };
}

/** What the name "localhost" stands for, until changed. */
function nameStandsFor(...addresses: string[]) {
  let current = addresses;
  vi.useFakeTimers({ toFake: ["setInterval", "clearInterval"] });
  const lookup = () => Promise.resolve(current.map((address) => ({ address, family: 4 })));
  vi.spyOn(dns.promises, "lookup").mockImplementation(lookup as never);
  return (...next: string[]) => {
    current = next;
    vi.advanceTimersByTime(10_000);
  };
}

describe("a server lost without a word", () => {
  it("whose address is still being connected to, is left when its name stands for another", async () => {
    await using good = await startOn("127.0.0.1");
    await using dead = await blackHole("127.0.0.2", good.port);
    const change = nameStandsFor("127.0.0.2");
    await using client = echoClient(`localhost:${good.port}`, { waitForReady: true });
    const call = client.say({ text: "" }, { timeoutMs: 5000 });
    await waitFor(() => dead.numConnections() > 0);
    change("127.0.0.1");
    expect((await call).text).toBe("127.0.0.1");
  });

  it("holds up no call while another one of the name is there", async () => {
    await using good = await startOn("127.0.0.1");
    await using dead = await blackHole("127.0.0.2", good.port);
    nameStandsFor("127.0.0.2", "127.0.0.1");
    await using client = echoClient(`localhost:${good.port}`, { waitForReady: true });
    await client.say({ text: "" });
    await waitFor(() => dead.numConnections() > 0);
    for (let i = 0; i < 4; i++) expect((await client.say({ text: "" })).text).toBe("127.0.0.1");
  });

  it("is joined by new ones of its name under a running client", async () => {
    await using first = await startOn("127.0.0.1");
    await using _second = await startOn("127.0.0.2", first.port);
    const change = nameStandsFor("127.0.0.1");
    await using client = echoClient(`localhost:${first.port}`);
    expect((await client.say({ text: "" })).text).toBe("127.0.0.1");
    change("127.0.0.1", "127.0.0.2");
    await waitFor(async () => (await client.say({ text: "" })).text === "127.0.0.2");
  });

  it("keeps its connection when the name cannot be looked up for a while", async () => {
    await using server = await startOn("127.0.0.1");
    const change = nameStandsFor("127.0.0.1");
    await using client = echoClient(`localhost:${server.port}`);
    await client.say({ text: "" });
    vi.mocked(dns.promises.lookup).mockRejectedValue(new Error("EAI_AGAIN"));
    change();
    expect((await client.say({ text: "" })).text).toBe("127.0.0.1");
  });

  for (const maxSilenceMs of [0, 1, -5, 0.5, NaN, Infinity, 2 ** 31]) {
    it(`refuses a silence of ${maxSilenceMs} ms`, () => {
      expect(() => echoClient("127.0.0.1:1", { maxSilenceMs })).toThrow(
        `[invalid_argument] maxSilenceMs is ${maxSilenceMs}; it must be a whole number`,
      );
    });
  }

  it("fails its calls after maxSilenceMs, and they are tried on another", async () => {
    const held = gate();
    const started = gate();
    const say = async () => {
      started.open();
      await held.opened;
      return { text: "lost" };
    };
    await using lost = await startEcho({ say });
    await using proxy = await createFaultProxy(lost.port);
    await using other = await startEcho({ say: () => ({ text: "other" }) });
    const addresses = `127.0.0.1:${proxy.port},127.0.0.1:${other.port}`;
    await using client = echoClient(addresses, { idempotent: "all", maxSilenceMs: 200 });
    const calls: Promise<{ text: string }>[] = [];
    await waitFor(() => {
      calls.push(client.say({ text: "" }));
      return Promise.race([started.opened.then(() => true), Promise.all(calls).then(() => false)]);
    });
    proxy.stall();
    for (const { text } of await Promise.all(calls)) expect(text).toBe("other");
    held.open();
  });
});

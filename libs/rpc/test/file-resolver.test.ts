import { rename, writeFile } from "node:fs/promises";
import { createRpcServer } from "@stagecraft/rpc";
import { gate, tempDir, waitFor } from "@stagecraft/testing";
import { describe, expect, it } from "vitest";
import { echoClient, echoHandlers, EchoService } from "./echo-service.js";

/** A server that says its name. */
async function startNamed(name: string, say = () => Promise.resolve({ text: name })) {
  const server = createRpcServer();
  server.addService(EchoService, { ...echoHandlers, say });
  const { port } = await server.start();
  const address = `127.0.0.1:${port}`;
  return { address, [Symbol.asyncDispose]: () => server[Symbol.asyncDispose]() };
}

describe("file: targets", () => {
  it("follow the file: servers come and go under a client, calls in flight are kept", async () => {
    await using dir = await tempDir();
    const file = dir.file("policy");
    const write = async (...addresses: string[]) => {
      await writeFile(`${file}.new`, `# servers\n${addresses.join("\n")}\n`);
      await rename(`${file}.new`, file);
    };
    const held = gate();
    const started = gate();
    await using first = await startNamed("first", async () => {
      started.open();
      await held.opened;
      return { text: "first" };
    });
    await using second = await startNamed("second");
    await using third = await startNamed("third");
    await write(first.address);
    await using client = echoClient(`file:${file}`);
    const inFlight = client.say({ text: "" });
    await started.opened;

    await write(second.address, third.address);
    const heard = new Set<string>();
    await waitFor(async () => {
      const { text } = await client.say({ text: "" }, { timeoutMs: 200 });
      heard.add(text);
      return heard.has("second") && heard.has("third");
    });
    held.open();
    expect((await inFlight).text).toBe("first");
    await write(third.address);
    await waitFor(async () => {
      const answers = await Promise.all(Array.from({ length: 4 }, () => client.say({ text: "" })));
      return answers.every(({ text }) => text === "third");
    });
  });

  it("wait for a file that is not there yet, and keep their servers when it goes", async () => {
    await using dir = await tempDir();
    const file = dir.file("policy");
    await using server = await startNamed("here");
    await using client = echoClient(`file:${file}`);
    await expect(client.say({ text: "" })).rejects.toThrow(/address file .*policy cannot be read/);
    const waiting = client.say({ text: "" }, { waitForReady: true });
    await writeFile(file, server.address);
    expect((await waiting).text).toBe("here");
    await writeFile(file, "");
    expect((await client.say({ text: "" })).text).toBe("here");
  });

  it("refuse to send plaintext off this machine", async () => {
    await using dir = await tempDir();
    const file = dir.file("policy");
    await writeFile(file, "192.0.2.1:50051");
    await using client = echoClient(`file:${file}`);
    await expect(client.say({ text: "" })).rejects.toThrow(/names no server that may be called/);
  });
});

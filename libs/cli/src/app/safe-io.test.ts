import { PassThrough } from "node:stream";
import { createJetStreamBus, DEAD_PREFIX, ensureTopology } from "@stagecraft/bus";
import { hasNatsServer, startNatsServer } from "@stagecraft/testing";
import { describe, expect, it } from "vitest";
import { createPlainReporter } from "../report/plain-reporter.js";
import { runCli } from "./run-cli.js";
import { rawStream } from "@stagecraft/core";
import { safeIo } from "./safe-io.js";

const ATTACK = "\x1b]0;owned\x07\x1b[2J\rok";

function terminal() {
  const [out, err, input] = [new PassThrough(), new PassThrough(), new PassThrough()];
  const io = { out, err, input, isTerminal: false, isInteractive: false, columns: () => 100 };
  return { io, printed: () => `${String(out.read() ?? "")}${String(err.read() ?? "")}` };
}

describe("the command line's terminal", () => {
  it("shows escape sequences in an error without effect", async () => {
    const { io, printed } = terminal();
    expect(await runCli(["info", `/nowhere/${ATTACK}`], io)).toBe(1);
    expect(printed()).toContain("/nowhere/\\u001b]0;owned\\u0007\\u001b[2J\\u000dok");
  });

  it("shows them in what reporters are told", () => {
    const { io, printed } = terminal();
    const reporter = createPlainReporter(safeIo(io));
    reporter.info(ATTACK);
    reporter.result({}, ATTACK);
    expect(printed()).not.toMatch(/[\x1b\r\x07]/); // eslint-disable-line no-control-regex
  });

  it("leaves our own commands to the terminal a way", () => {
    const { io, printed } = terminal();
    rawStream(safeIo(io).err).write("\x1b[2K");
    expect(printed()).toBe("\x1b[2K");
  });

  it.skipIf(!hasNatsServer())("shows them in dead letters; JSON has the same value", async () => {
    await using nats = await startNatsServer({ maxFileStoreBytes: 8 * 1024 ** 3 });
    await using bus = await createJetStreamBus({ servers: nats.url });
    await ensureTopology(bus, "main");
    const headers = { "Stagecraft-Dead-Reason": `\x1b[2J\x9b2J` };
    await bus.publish(`${DEAD_PREFIX}main.prompts`, new Uint8Array(1), { id: "x", headers });
    const { io, printed } = terminal();
    const list = ["dead-letters", "list", "--nats-url", nats.url];
    expect(await runCli(list, io)).toBe(0);
    expect(printed()).toContain("\\u001b[2J");
    expect(await runCli([...list, "--json"], io)).toBe(0);
    const line = printed();
    expect(line).not.toMatch(/[\x1b\x9b]/); // eslint-disable-line no-control-regex
    const [letter] = await bus.deadLetters.list();
    expect(JSON.parse(line)).toEqual(letter);
  });
});

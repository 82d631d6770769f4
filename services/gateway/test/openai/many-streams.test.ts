import { once } from "node:events";
import { Agent, request, type IncomingMessage } from "node:http";
import { setImmediate as turn } from "node:timers/promises";
import { describe, expect, it } from "vitest";
import { backendOf, CHAT, END, piece, serve, WEIGHTS } from "./rig.js";

/** `npm run test:clients -- streams` opens 1,000. */
const NUM_STREAMS = Number(process.env["MANY_STREAMS"] ?? 40);
const NUM_PIECES = 100;
/** Heap of one open stream and its client in this process, garbage included; 123 KiB were measured. */
const MAX_HEAP_BYTES = 256 * 1024;

const agent = new Agent({ keepAlive: false, maxSockets: Infinity });

async function open(url: string): Promise<IncomingMessage> {
  const headers = { "content-type": "application/json" };
  const sent = request(`${url}/v1/chat/completions`, { method: "POST", agent, headers });
  sent.end(JSON.stringify({ ...CHAT, stream: true }));
  const [response] = (await once(sent, "response")) as [IncomingMessage];
  return response.pause();
}

async function numPiecesOf(stream: IncomingMessage): Promise<number> {
  let text = "";
  for await (const bytes of stream.setEncoding("utf8")) text += String(bytes);
  expect(text.endsWith("data: [DONE]\n\n")).toBe(true);
  return text.match(/"content":"[^"]+"/g)!.length;
}

describe(`${NUM_STREAMS} open streams`, () => {
  it("all get their answer whole, also those that read late, and none waits for another", async () => {
    const talker = backendOf(async function* () {
      for (let i = 1; i < NUM_PIECES; i++) {
        yield piece("a few words", { weights: WEIGHTS });
        await turn();
      }
      yield piece("the end", END);
    });
    await using rig = await serve(talker);
    const before = process.memoryUsage().heapUsed;
    const streams = await Promise.all(Array.from({ length: NUM_STREAMS }, () => open(rig.url)));
    const [late, prompt] = [streams.filter((_, i) => i % 2), streams.filter((_, i) => !(i % 2))];
    const whole = (all: IncomingMessage[]) => all.map(() => NUM_PIECES);
    expect(await Promise.all(prompt.map(numPiecesOf))).toEqual(whole(prompt));
    const grown = process.memoryUsage().heapUsed - before;
    if (NUM_STREAMS >= 1000) expect(grown / NUM_STREAMS).toBeLessThan(MAX_HEAP_BYTES);
    expect(await Promise.all(late.map(numPiecesOf))).toEqual(whole(late));
  });
});

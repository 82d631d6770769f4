import { describe, expect, it } from "vitest";
import { readEvents } from "./event-stream.js";

const TEXT =
  ': hello\n\ndata: {"a":"é"}\n\nevent: x\ndata: one\ndata: two\n\ndata:last\r\n\r\ndata: cut off';

async function read(chunks: Uint8Array[]): Promise<string[]> {
  const body = new ReadableStream<Uint8Array>({
    start(controller) {
      for (const chunk of chunks) controller.enqueue(chunk);
      controller.close();
    },
  });
  const events: string[] = [];
  for await (const data of readEvents(new Response(body))) events.push(data);
  return events;
}

describe("readEvents()", () => {
  it("gives the same events wherever the bytes are cut, and none that is not finished", async () => {
    const bytes = new TextEncoder().encode(TEXT);
    for (let at = 0; at <= bytes.length; at++) {
      const events = await read([bytes.slice(0, at), bytes.slice(at)]);
      expect(events, `cut at ${at}`).toEqual(['{"a":"é"}', "one\ntwo", "last"]);
    }
  });
});

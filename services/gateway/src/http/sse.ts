import type { ServerResponse } from "node:http";
import type { FastifyReply } from "fastify";

/** A client that has read nothing for so long is gone, or is nobody who reads. */
const STALLED_MS = 60_000;

/**
 * Sends events as they come; a client that reads slowly slows the source down, and one that reads nothing
 * for `stalledMs` is cut off.
 */
export async function sendEvents(
  reply: Pick<FastifyReply, "hijack" | "raw" | "getHeaders">,
  events: AsyncIterable<object>,
  { stalledMs = STALLED_MS } = {},
): Promise<void> {
  reply.hijack();
  const { raw } = reply;
  raw.writeHead(200, {
    ...Object.fromEntries(Object.entries(reply.getHeaders()).map(([k, v]) => [k, v as string])),
    "content-type": "text/event-stream; charset=utf-8",
    "cache-control": "no-store",
    "x-accel-buffering": "no",
    "x-content-type-options": "nosniff",
  });
  try {
    for await (const event of events) {
      if (raw.destroyed) break;
      if (!raw.write(`data: ${JSON.stringify(event)}\n\n`)) await drained(raw, stalledMs);
    }
  } finally {
    raw.end();
  }
}

function drained(stream: ServerResponse, stalledMs: number): Promise<void> {
  return new Promise((resolve) => {
    const done = () => {
      clearTimeout(timer);
      stream.off("drain", done);
      stream.off("close", done);
      resolve();
    };
    const timer = setTimeout(() => stream.destroy(), stalledMs);
    stream.once("drain", done);
    stream.once("close", done);
  });
}

import type { FastifyReply } from "fastify";

/** Sends events as they come; a client that reads slowly slows the source down. */
export async function sendEvents(
  reply: FastifyReply,
  events: AsyncIterable<object>,
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
      if (!raw.write(`data: ${JSON.stringify(event)}\n\n`)) await drained(raw);
    }
  } finally {
    raw.end();
  }
}

function drained(stream: NodeJS.WritableStream): Promise<void> {
  return new Promise((resolve) => {
    const done = () => {
      stream.off("drain", done);
      stream.off("close", done);
      resolve();
    };
    stream.once("drain", done);
    stream.once("close", done);
  });
}

import type { FastifyReply } from "fastify";

/**
 * Calls once when whoever asked has his answer or has left, at once if that is so already: it may have been
 * while his key or his session was looked up. Returns how to take it back.
 */
export function whenClosed({ raw }: Pick<FastifyReply, "raw">, listener: () => void): () => void {
  if (raw.closed) {
    listener();
    return () => undefined;
  }
  raw.once("close", listener);
  return () => void raw.off("close", listener);
}

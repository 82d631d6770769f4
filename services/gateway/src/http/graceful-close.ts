import { setMaxListeners } from "node:events";
import { setTimeout as delay } from "node:timers/promises";
import type { FastifyInstance } from "fastify";

export interface GracefulClose {
  /** Takes no more requests, finishes what is being answered within the grace, and ends. */
  close(graceMs: number): Promise<void>;
  /** Aborted when the grace is over: what is answered still is given up. */
  readonly signal: AbortSignal;
}

/** After the grace: time to tell streams that they are given up. */
const LAST_WORDS_MS = 1000;

/** Ends a server of HTTP in good order. To be called before routes are added. */
export function closeGracefully(app: FastifyInstance): GracefulClose {
  const answers = countAnswers(app);
  const stop = new AbortController();
  setMaxListeners(0, stop.signal); // one for each request that is being answered
  let closing: Promise<void> | undefined;
  const close = async (graceMs: number) => {
    const closed = app.close();
    await Promise.race([answers.idle(), after(graceMs)]);
    stop.abort();
    await Promise.race([answers.idle(), after(LAST_WORDS_MS)]);
    // Also those that never asked anything, which count as neither idle nor active.
    app.server.closeAllConnections();
    await closed;
  };
  return { signal: stop.signal, close: (graceMs) => (closing ??= close(graceMs)) };
}

/** Knows when nothing is being answered. */
function countAnswers(app: FastifyInstance): { idle(): Promise<void> } {
  let numOpen = 0;
  let onIdle = () => {};
  app.addHook("onRequest", async (_, reply) => {
    numOpen++;
    const end = () => {
      reply.raw.off("close", end).off("finish", end);
      numOpen--;
      if (numOpen === 0) onIdle();
    };
    reply.raw.once("close", end).once("finish", end);
  });
  return {
    idle: () =>
      new Promise((resolve) => {
        onIdle = resolve;
        if (numOpen === 0) resolve();
      }),
  };
}

const after = (ms: number) => delay(ms, undefined, { ref: false });

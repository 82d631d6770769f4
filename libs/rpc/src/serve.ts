import type { Logger } from "@stagecraft/telemetry";
import type { DrainOptions } from "./drain.js";
import type { RpcServer } from "./server.js";

export interface ServeOptions extends DrainOptions {
  /** Time for calls in flight after the signal; below the orchestrator's own grace. */
  graceMs: number;
  logger: Logger;
  /** Signals that end the service; default SIGTERM and SIGINT. */
  signals?: readonly NodeJS.Signals[];
  /** Ends the process on a second signal; default `process.exit`. */
  exit?: (code: number) => void;
}

/** Exit code of a process that a person interrupted twice. */
const EXIT_INTERRUPTED = 130;

/**
 * Waits for a signal, then drains. Resolves with whether every call finished; the caller closes the
 * rest (bus, metrics, workers) and returns. A second signal ends the process at once.
 */
export async function serveUntilSignal(server: RpcServer, options: ServeOptions): Promise<boolean> {
  const { graceMs, logger, signals = ["SIGTERM", "SIGINT"], exit = process.exit } = options;
  let listener: ((signal: NodeJS.Signals) => void) | undefined;
  const received = new Promise<NodeJS.Signals>((resolve) => {
    let first = true;
    listener = (signal) => {
      if (!first) exit(EXIT_INTERRUPTED);
      first = false;
      resolve(signal);
    };
    for (const signal of signals) process.on(signal, listener);
  });
  try {
    const signal = await received;
    logger.info({ signal, graceMs, inFlight: server.inFlight() }, "draining");
    const clean = await server.drain(graceMs, options);
    logger.info({ clean }, "drained");
    return clean;
  } finally {
    for (const signal of signals) process.off(signal, listener!);
  }
}

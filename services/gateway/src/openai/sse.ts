import type { ServerResponse } from "node:http";
import { StagecraftError } from "@stagecraft/core";

export interface SseOptions {
  /** A reader that takes nothing for so long is let go, ms. */
  stallMs: number;
}

/**
 * Server-sent events to one reader. `send` gives a promise when the reader is behind: whoever awaits it
 * makes no more meanwhile, so that a slow reader costs one answer's tokens of memory and nobody's time.
 */
export interface SseStream {
  readonly isOpen: boolean;
  /** Status 200 and headers; once. */
  open(headers: Readonly<Record<string, string>>): void;
  send(data: string): Promise<void> | undefined;
  end(): void;
}

/** A stream over a response that nobody else writes to. */
export function createSseStream(response: ServerResponse, { stallMs }: SseOptions): SseStream {
  let waiting: Promise<void> | undefined;
  const drained = () =>
    new Promise<void>((resolve, reject) => {
      const done = (error?: StagecraftError) => {
        clearTimeout(timer);
        response.off("drain", onDrain).off("close", onClose);
        waiting = undefined;
        if (error) reject(error);
        else resolve();
      };
      const onDrain = () => done();
      const onClose = () => done(new StagecraftError("cancelled", "the reader has left"));
      const timer = setTimeout(() => {
        response.destroy();
        done(new StagecraftError("cancelled", `the reader took nothing for ${stallMs} ms`));
      }, stallMs);
      response.on("drain", onDrain).on("close", onClose);
    });
  return {
    get isOpen() {
      return response.headersSent;
    },
    open(headers) {
      response.writeHead(200, {
        "content-type": "text/event-stream; charset=utf-8",
        "cache-control": "no-cache",
        "x-accel-buffering": "no",
        ...headers,
      });
    },
    send(data) {
      if (response.destroyed) throw new StagecraftError("cancelled", "the reader has left");
      if (response.write(`data: ${data}\n\n`)) return undefined;
      return (waiting ??= drained());
    },
    end: () => void response.end(),
  };
}

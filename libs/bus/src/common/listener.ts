import type { BroadcastMessage, Listener } from "../bus.js";
import { subjectMatches } from "./subjects.js";

/** A bounded queue between a pushing source and an async reader; the oldest fall out. */
export interface BroadcastQueue extends Listener {
  push(message: BroadcastMessage): void;
  end(): void;
}

export function createBroadcastQueue(maxQueued: number, onClose: () => void): BroadcastQueue {
  const queue: BroadcastMessage[] = [];
  let numDropped = 0;
  let ended = false;
  let wake: (() => void) | undefined;
  const end = () => {
    ended = true;
    wake?.();
  };
  const close = () => {
    if (!ended) onClose();
    end();
    return Promise.resolve();
  };
  return {
    push(message) {
      if (ended) return;
      queue.push(message);
      if (queue.length > maxQueued) {
        queue.shift();
        numDropped++;
      }
      wake?.();
    },
    end,
    numDropped: () => numDropped,
    close,
    [Symbol.asyncDispose]: close,
    async *[Symbol.asyncIterator]() {
      try {
        for (;;) {
          const message = queue.shift();
          if (message) yield message;
          else if (ended) return;
          else await new Promise<void>((resolve) => (wake = resolve));
        }
      } finally {
        await close();
      }
    },
  };
}

/** Listeners of one process by subject pattern. */
export function createListenerHub() {
  const listeners = new Map<BroadcastQueue, string>();
  return {
    emit(subject: string, data: Uint8Array): void {
      for (const [queue, pattern] of listeners) {
        if (subjectMatches(pattern, subject)) queue.push({ subject, data: Uint8Array.from(data) });
      }
    },
    listen(pattern: string, maxQueued: number): Listener {
      const queue = createBroadcastQueue(maxQueued, () => listeners.delete(queue));
      listeners.set(queue, pattern);
      return queue;
    },
    async close(): Promise<void> {
      await Promise.all([...listeners.keys()].map((queue) => queue.close()));
    },
  };
}

import { throwIfAborted } from "@stagecraft/core";

/** Bounds work in flight by count and bytes; the rest waits in order. */
export interface Limiter {
  run<T>(numBytes: number, signal: AbortSignal | undefined, work: () => Promise<T>): Promise<T>;
}

/** One item larger than `maxBytes` runs alone rather than never. */
export function createLimiter({ maxCount, maxBytes }: { maxCount: number; maxBytes: number }) {
  let count = 0;
  let bytes = 0;
  const waiting: (() => void)[] = [];
  const fits = (numBytes: number) =>
    count < maxCount && (bytes + numBytes <= maxBytes || count === 0);
  const wakeNext = () => waiting.shift()?.();

  const limiter: Limiter = {
    async run(numBytes, signal, work) {
      while (!fits(numBytes)) {
        await new Promise<void>((resolve) => waiting.push(resolve));
        if (signal?.aborted) wakeNext();
        throwIfAborted(signal);
      }
      count++;
      bytes += numBytes;
      if (fits(1)) wakeNext();
      try {
        return await work();
      } finally {
        count--;
        bytes -= numBytes;
        wakeNext();
      }
    },
  };
  return limiter;
}

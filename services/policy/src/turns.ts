import { StagecraftError, throwIfAborted } from "@stagecraft/core";

export interface TurnOptions {
  /** Goes before whatever waits and is not urgent. */
  urgent?: boolean;
  /** Takes the work out of the queue; what has its turn hears of it itself. */
  signal?: AbortSignal | undefined;
}

/** Work that excludes each other, one after the other. */
export interface Turns {
  /** Work whose signal has fired before its turn is never begun. */
  run<T>(work: () => Promise<T>, options?: TurnOptions): Promise<T>;
  /** Whether something urgent waits. */
  readonly urgentWaits: boolean;
  /** Resolves when nothing runs or waits. */
  idle(): Promise<void>;
}

interface Entry {
  urgent: boolean;
  begin(): Promise<void>;
}

/** First come, first served, urgent work before the rest. */
export function createTurns(): Turns {
  const waiting: Entry[] = [];
  let running: Promise<void> | undefined;
  const next = () => {
    const entry = running ? undefined : waiting.shift();
    if (!entry) return;
    running = entry.begin().finally(() => {
      running = undefined;
      next();
    });
  };
  const enqueue = (entry: Entry) => {
    const firstCalm = waiting.findIndex(({ urgent }) => !urgent);
    const at = entry.urgent && firstCalm !== -1 ? firstCalm : waiting.length;
    waiting.splice(at, 0, entry);
    next();
  };
  return {
    get urgentWaits() {
      return waiting.some(({ urgent }) => urgent);
    },
    run<T>(work: () => Promise<T>, { urgent = false, signal }: TurnOptions = {}) {
      throwIfAborted(signal);
      return new Promise<T>((resolve, reject) => {
        const leave = () => {
          const at = waiting.indexOf(entry);
          if (at === -1) return;
          waiting.splice(at, 1);
          reject(new StagecraftError("cancelled", "stopped on request", { cause: signal?.reason }));
        };
        const entry: Entry = {
          urgent,
          async begin() {
            signal?.removeEventListener("abort", leave);
            await work().then(resolve, reject);
          },
        };
        signal?.addEventListener("abort", leave, { once: true });
        enqueue(entry);
      });
    },
    async idle() {
      while (running) await running;
    },
  };
}

import type { KeyValueEntry } from "../bus.js";

/**
 * The newest value now and after every change. It reads on each hint and on a timer, so a lost hint
 * costs a delay, never a version; however fast the writer, the reader holds one entry.
 */
export async function* watchLatest(
  get: () => Promise<KeyValueEntry | undefined>,
  hints: { onHint(wake: () => void): () => void; pollMs: number; signal: AbortSignal },
): AsyncGenerator<KeyValueEntry> {
  const { signal, pollMs } = hints;
  let hinted = true;
  let wake: (() => void) | undefined;
  const rouse = () => {
    hinted = true;
    wake?.();
  };
  const stop = hints.onHint(rouse);
  signal.addEventListener("abort", rouse, { once: true });
  const timer = setInterval(rouse, pollMs);
  timer.unref();
  let last = { revision: 0, createdAtMs: 0 };
  try {
    while (!signal.aborted) {
      if (!hinted) await new Promise<void>((resolve) => (wake = resolve));
      hinted = false;
      if (signal.aborted) return;
      const entry = await get().catch(() => undefined); // unreachable now: the timer asks again
      if (!entry || !isNewer(entry, last)) continue;
      last = entry;
      yield entry;
    }
  } finally {
    clearInterval(timer);
    signal.removeEventListener("abort", rouse);
    stop();
  }
}

/** By revision; by time where a broker that lost its store counts revisions anew. */
function isNewer(entry: Moment, last: Moment): boolean {
  return entry.revision > last.revision || entry.createdAtMs > last.createdAtMs;
}

type Moment = Pick<KeyValueEntry, "revision" | "createdAtMs">;

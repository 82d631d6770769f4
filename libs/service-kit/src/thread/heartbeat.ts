import { BEAT_MS } from "./messages.js";

/** Tells whether something that should be heard of regularly still is. */
export interface Heartbeat {
  /** It was heard. */
  beat(): void;
  /** Calls back now and at every change. */
  onChange(listener: (healthy: boolean) => void): void;
  /** It is gone: unhealthy for good. */
  stop(): void;
}

export interface HeartbeatOptions {
  /** Unhealthy after so much silence. */
  stuckAfterMs: number;
  now?: () => number;
}

/** Healthy until the first long silence, and again from the next beat on. */
export function watchHeartbeat({
  stuckAfterMs,
  now = () => performance.now(),
}: HeartbeatOptions): Heartbeat & { check(): void } {
  const listeners = new Set<(healthy: boolean) => void>();
  let heardAt = now();
  let healthy = true;
  let stopped = false;
  const become = (next: boolean) => {
    if (next === healthy) return;
    healthy = next;
    for (const listener of listeners) listener(healthy);
  };
  const check = () => {
    if (now() - heardAt > stuckAfterMs) become(false);
  };
  // Where this loop itself was held up, beats may be waiting: they are read before an immediate runs.
  const timer = setInterval(() => setImmediate(check), BEAT_MS);
  timer.unref();
  return {
    beat() {
      heardAt = now();
      if (!stopped) become(true);
    },
    onChange(listener) {
      listeners.add(listener);
      listener(healthy);
    },
    stop() {
      stopped = true;
      clearInterval(timer);
      become(false);
    },
    check,
  };
}

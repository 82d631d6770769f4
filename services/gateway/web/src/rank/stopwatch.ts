/** Measures the time that a person looks at something: it stands still while the page is hidden. */
export interface Stopwatch {
  restart(): void;
  elapsedMs(): number;
}

/** @param nowMs a clock in milliseconds that only goes forward */
export function createStopwatch(nowMs: () => number = () => performance.now()): Stopwatch {
  let [doneMs, startMs] = [0, nowMs()];
  let isHidden = document.hidden;
  document.addEventListener("visibilitychange", () => {
    if (document.hidden && !isHidden) doneMs += nowMs() - startMs;
    if (!document.hidden) startMs = nowMs();
    isHidden = document.hidden;
  });
  return {
    restart: () => void ([doneMs, startMs] = [0, nowMs()]),
    elapsedMs: () => Math.round(doneMs + (isHidden ? 0 : nowMs() - startMs)),
  };
}

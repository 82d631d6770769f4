import { StagecraftError } from "@stagecraft/core";

/** The value, or undefined after the time. Rejects when the signal fires. */
export function withinTime<T>(
  value: Promise<T>,
  timeoutMs: number,
  signal: AbortSignal,
): Promise<T | undefined> {
  return new Promise<T | undefined>((resolve, reject) => {
    const timer = setTimeout(() => finish(() => resolve(undefined)), timeoutMs);
    const onAbort = () =>
      finish(() =>
        reject(new StagecraftError("cancelled", "stopped on request", { cause: signal.reason })),
      );
    const finish = (settle: () => void) => {
      clearTimeout(timer);
      signal.removeEventListener("abort", onAbort);
      settle();
    };
    signal.addEventListener("abort", onAbort, { once: true });
    value.then(
      (result) => finish(() => resolve(result)),
      (error: unknown) => finish(() => reject(StagecraftError.from(error))),
    );
    if (signal.aborted) onAbort();
  });
}

export interface WaitOptions {
  /** Default 30 s: who waits on a busy machine has not failed, and what holds ends the wait at once. */
  timeoutMs?: number;
  /** Default 5 ms. */
  intervalMs?: number;
  /** What is waited for, for the message. */
  what?: string;
}

/**
 * Polls until the condition gives something truthy and returns it. The last error of a throwing
 * condition (an `expect`) is the cause of the timeout, so assertions can be waited for.
 */
export async function waitFor<T>(
  condition: () => T | Promise<T>,
  { timeoutMs = 30_000, intervalMs = 5, what = "condition" }: WaitOptions = {},
): Promise<NonNullable<T>> {
  const endsAt = performance.now() + timeoutMs;
  let cause: unknown;
  for (;;) {
    try {
      const value = await condition();
      if (value) return value;
      cause = undefined;
    } catch (error) {
      cause = error;
    }
    if (performance.now() > endsAt) {
      const why = cause instanceof Error ? `: ${cause.message}` : "";
      throw new Error(`${what} did not hold within ${timeoutMs} ms${why}`, { cause });
    }
    await new Promise((resolve) => setTimeout(resolve, intervalMs));
  }
}

/** A promise with its resolver outside: for stopping a handler at a known point. */
export interface Gate<T = void> {
  opened: Promise<T>;
  open(value: T): void;
}

export function gate<T = void>(): Gate<T> {
  let open!: (value: T) => void;
  const opened = new Promise<T>((resolve) => (open = resolve));
  return { opened, open };
}

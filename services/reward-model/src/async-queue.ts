/** Values on their way from many producers to one reader. */
export interface AsyncQueue<T> extends AsyncIterable<T> {
  push(value: T): void;
  /** Ends the reading after what was pushed. */
  end(): void;
  /** Makes the reader throw after what was pushed. */
  fail(error: unknown): void;
}

/** Unbounded; producers limit themselves. For one reader. */
export function createAsyncQueue<T>(): AsyncQueue<T> {
  const values: T[] = [];
  let ended: { error?: unknown } | undefined;
  let wake = () => {};
  const close = (how: { error?: unknown }) => {
    ended ??= how;
    wake();
  };
  return {
    push(value) {
      values.push(value);
      wake();
    },
    end: () => close({}),
    fail: (error) => close({ error }),
    async *[Symbol.asyncIterator]() {
      for (;;) {
        while (values.length > 0) yield values.shift()!;
        if (ended && "error" in ended) throw ended.error;
        if (ended) return;
        await new Promise<void>((resolve) => (wake = resolve));
      }
    },
  };
}

/**
 * Each value as `change` makes it of it, without the cost of a generator. Whoever leaves it leaves the source, and
 * so does a change that throws.
 */
export function mapAsync<T, U>(
  source: AsyncIterable<T>,
  change: (value: T) => U,
): AsyncIterable<U> {
  return {
    [Symbol.asyncIterator]() {
      const values = source[Symbol.asyncIterator]();
      const leave = () => values.return?.() ?? Promise.resolve();
      const changed = ({ done, value }: IteratorResult<T>): IteratorResult<U> => {
        if (done) return END;
        try {
          return { done: false, value: change(value) };
        } catch (error) {
          leave().catch(() => undefined); // the change's own error is the one to tell
          throw error;
        }
      };
      return {
        next: () => values.next().then(changed),
        return: () => leave().then(() => END),
      };
    },
  };
}

/** The values of an iterable that is opened when the first one is asked for. */
export function openLater<T>(open: () => Promise<AsyncIterable<T>>): AsyncIterable<T> {
  return {
    [Symbol.asyncIterator]() {
      let values: AsyncIterator<T> | undefined;
      let opening: Promise<AsyncIterator<T>> | undefined;
      const opened = () =>
        (opening ??= open().then((iterable) => (values = iterable[Symbol.asyncIterator]())));
      return {
        next: () => (values ? values.next() : opened().then((each) => each.next())),
        async return() {
          opening ??= Promise.resolve(NOTHING); // what was left is not opened any more
          const left = values ?? (await opening?.catch(() => undefined));
          await left?.return?.();
          return END;
        },
      };
    },
  };
}

const NOTHING: AsyncIterator<never> = { next: () => Promise.resolve(END) };

const END: IteratorReturnResult<undefined> = { done: true, value: undefined };

import type { Writable } from "node:stream";

const targets = new WeakMap<object, Writable>();

/** The stream under one that `filterWrites` made, else the stream itself: for our own commands to a terminal. */
export function rawStream(stream: Writable): Writable {
  return targets.get(stream) ?? stream;
}

/** A stream that changes text on its way; writes go straight through, so that nothing is lost at an exit. */
export function filterWrites(target: Writable, filter: (text: string) => string): Writable {
  const write = (chunk: unknown, ...rest: unknown[]) => {
    const changed = typeof chunk === "string" ? filter(chunk) : chunk;
    return (target.write as (...args: unknown[]) => boolean).call(target, changed, ...rest);
  };
  const stream = new Proxy(target, {
    get(_, name) {
      if (name === "write") return write;
      const value: unknown = Reflect.get(target, name, target);
      return typeof value === "function" ? (value.bind(target) as unknown) : value;
    },
  });
  targets.set(stream, target);
  return stream;
}

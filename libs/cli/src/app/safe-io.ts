import type { Writable } from "node:stream";
import colors from "picocolors";
import { terminalText } from "@stagecraft/core";
import type { CliIo } from "./io.js";

const targets = new WeakMap<object, Writable>();

/**
 * The one place where the command line prints: what others wrote (dead letters, answers, names of runs,
 * lines of logs) reaches the terminal as text, never as commands to it. See `terminalText`.
 */
export function safeIo(io: CliIo): CliIo {
  return { ...io, out: safeStream(io.out), err: safeStream(io.err), columns: () => io.columns() };
}

/** The stream itself, for our own commands to the terminal: cursor, cleared lines. */
export function rawStream(stream: Writable): Writable {
  return targets.get(stream) ?? stream;
}

/** As the stream writes it; writes go straight through, so that nothing is lost at an exit. */
function safeStream(target: Writable): Writable {
  const write = (chunk: unknown, ...rest: unknown[]) => {
    const safe = typeof chunk === "string" ? safeText(chunk) : chunk;
    return (target.write as (...args: unknown[]) => boolean).call(target, safe, ...rest);
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

/** For a terminal; colours stay where ours are on. */
export function safeText(text: string): string {
  return terminalText(text, { keepColours: colors.isColorSupported });
}

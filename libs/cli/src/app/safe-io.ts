import colors from "picocolors";
import { filterWrites, terminalText } from "@stagecraft/core";
import type { CliIo } from "./io.js";

/**
 * The one place where the command line prints: what others wrote (dead letters, answers, names of runs,
 * lines of logs) reaches the terminal as text, never as commands to it. See `terminalText`.
 */
export function safeIo(io: CliIo): CliIo {
  const safe = (stream: CliIo["out"]) => filterWrites(stream, safeText);
  return { ...io, out: safe(io.out), err: safe(io.err), columns: () => io.columns() };
}

/** For a terminal; colours stay where ours are on. */
function safeText(text: string): string {
  return terminalText(text, { keepColours: colors.isColorSupported });
}

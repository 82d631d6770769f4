import type { Readable, Writable } from "node:stream";

/** The terminal as a command sees it: results go to `out`, everything else to `err`. */
export interface CliIo {
  readonly out: Writable;
  readonly err: Writable;
  readonly input: Readable;
  /** True when `err` is a terminal that can redraw a line. */
  readonly isTerminal: boolean;
  /** True when a person types into `input`. */
  readonly isInteractive: boolean;
  /** Width of the terminal in columns. */
  columns(): number;
}

/** The real standard streams; a reader that closes early (`| head`) ends the process quietly. */
export function processIo(): CliIo {
  for (const stream of [process.stdout, process.stderr]) {
    stream.on("error", (error: NodeJS.ErrnoException) => {
      if (error.code === "EPIPE") process.exit(process.exitCode);
      throw error;
    });
  }
  return {
    out: process.stdout,
    err: process.stderr,
    input: process.stdin,
    isTerminal: process.stderr.isTTY === true,
    isInteractive: process.stdin.isTTY === true,
    columns: () => process.stderr.columns ?? 100,
  };
}

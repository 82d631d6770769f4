import type { Command } from "commander";
import type { StageReporter } from "@stagecraft/runs";
import type { ExitCode } from "./exit-codes.js";
import type { CliIo } from "./io.js";

/** What a running command works with. */
export interface CommandScope {
  readonly io: CliIo;
  /** Fires on Ctrl-C; a stage then saves and throws `cancelled`. */
  readonly signal: AbortSignal;
  /** A reporter for one command: a bar, plain lines, or NDJSON under `json`. */
  createReporter(options: { json: boolean }): CliReporter;
  /** Sets a code other than 0 for a command that ends normally. */
  setExitCode(code: ExitCode): void;
}

/** A stage reporter that owns the terminal until `close`. */
export interface CliReporter extends StageReporter {
  /** Prints a result: `text` for people, `record` as one JSON line for machines. */
  result(record: object, text: string): void;
  close(): void;
}

/** One entry of `stagecraft --help`; its module is loaded only when the command is called. */
export interface CommandEntry {
  name: string;
  summary: string;
  /** Adds flags, help and the action to an empty command of that name. */
  load(): Promise<(command: Command, scope: CommandScope) => void>;
}

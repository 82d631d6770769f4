import { terminalText } from "@stagecraft/core";
import { pino, type DestinationStream, type Logger as PinoLogger } from "pino";
import { createPrettyStream } from "./pretty.js";

/** A structured logger; bind ids with `logger.child({ runId, rolloutId })`. */
export type Logger = PinoLogger;

export interface LoggerOptions {
  /** The service that speaks, e.g. `policy`; on every line as `service`. */
  service: string;
  /** Least severe level written; default `info`, `silent` writes nothing. */
  level?: "trace" | "debug" | "info" | "warn" | "error" | "silent";
  /** One readable line per record instead of JSON; for terminals. Default false. */
  pretty?: boolean;
  /** Fields on every line, e.g. `{ runId }`. */
  bindings?: Readonly<Record<string, unknown>>;
  /** Where lines go; default standard error, so that standard output stays for results. */
  destination?: DestinationStream;
}

/** Fields that never appear in a log, at the top level or one below. */
const SECRET_FIELDS = ["token", "tokens", "password", "secret", "authorization", "key"];

/** JSON lines with level names and ISO times; errors print with stack and causes under `err`. */
export function createLogger(options: LoggerOptions): Logger {
  // Lines may end on a terminal: what others wrote in them is shown there, not obeyed.
  const output = options.destination ?? pino.destination({ dest: 2, sync: true });
  const target = { write: (line: string) => void output.write(terminalText(line)) };
  return pino(
    {
      level: options.level ?? "info",
      base: { service: options.service, ...options.bindings },
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
      redact: {
        paths: SECRET_FIELDS.flatMap((field) => [field, `*.${field}`]),
        censor: "[hidden]",
      },
    },
    options.pretty ? createPrettyStream(target) : target,
  );
}

/** Writes nothing; the default wherever a logger is optional. */
export function silentLogger(): Logger {
  return pino({ level: "silent" });
}

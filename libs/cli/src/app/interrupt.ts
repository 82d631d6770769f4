import { StagecraftError } from "@stagecraft/core";
import { EXIT_CODES, type ExitCode } from "./exit-codes.js";

/** Ctrl-C and SIGTERM as an AbortSignal. */
export interface Interrupt {
  readonly signal: AbortSignal;
  /** The exit code that tells how the command was stopped; undefined while nobody asked. */
  exitCode(): ExitCode | undefined;
  dispose(): void;
}

export interface InterruptOptions {
  /** Called once, on the first request. */
  onFirst(): void;
  /** Called on the second request; ends the process. */
  onSecond(code: ExitCode): void;
  source?: NodeJS.EventEmitter;
  now?: () => number;
}

/**
 * `npm run` and `npx` pass a terminal's Ctrl-C on to a child that the terminal has already told, so
 * one key press arrives twice within milliseconds. Signals this close together count as one.
 */
const SAME_KEY_PRESS_MS = 300;

/** The first signal asks for a clean stop (checkpoint, then out), the second stops at once. */
export function listenForInterrupt(options: InterruptOptions): Interrupt {
  const { source = process, now = Date.now } = options;
  const controller = new AbortController();
  let code: ExitCode | undefined;
  let lastMs = -Infinity;
  const receive = (received: ExitCode) => () => {
    const isEcho = now() - lastMs < SAME_KEY_PRESS_MS;
    lastMs = now();
    if (isEcho) return;
    if (code !== undefined) return options.onSecond(received);
    code = received;
    options.onFirst();
    controller.abort(new StagecraftError("cancelled", "stopped on request"));
  };
  const onInterrupt = receive(EXIT_CODES.interrupted);
  const onTerminate = receive(EXIT_CODES.terminated);
  source.on("SIGINT", onInterrupt);
  source.on("SIGTERM", onTerminate);
  return {
    signal: controller.signal,
    exitCode: () => code,
    dispose() {
      source.off("SIGINT", onInterrupt);
      source.off("SIGTERM", onTerminate);
    },
  };
}

import { CommanderError } from "commander";
import { isCancelled, StagecraftError } from "@stagecraft/core";
import { createReporter } from "../report/create-reporter.js";
import type { CommandScope } from "./command.js";
import { createProgram } from "./create-program.js";
import { EXIT_CODES, type ExitCode } from "./exit-codes.js";
import { listenForInterrupt, type Interrupt } from "./interrupt.js";
import type { CliIo } from "./io.js";
import { safeIo } from "./safe-io.js";
import { UsageError } from "@stagecraft/config";

/** Runs one command line and resolves with the exit code; never throws, prints its own errors. */
export async function runCli(argv: readonly string[], given: CliIo): Promise<ExitCode> {
  const io = safeIo(given);
  const interrupt = listenForInterrupt({
    onFirst: () => io.err.write("\nstopping cleanly; press Ctrl-C again to stop at once\n"),
    onSecond: (code) => process.exit(code),
  });
  let exitCode: ExitCode = EXIT_CODES.ok;
  const scope: CommandScope = {
    io,
    signal: interrupt.signal,
    createReporter: ({ json }) => createReporter(io, json),
    setExitCode: (code) => (exitCode = code),
  };
  try {
    const program = await createProgram(argv, scope);
    await program.parseAsync(argv, { from: "user" });
    return exitCode;
  } catch (thrown) {
    return reportFailure(thrown, { io, interrupt, debug: argv.includes("--debug") });
  } finally {
    interrupt.dispose();
  }
}

interface FailureScope {
  io: CliIo;
  interrupt: Interrupt;
  debug: boolean;
}

/** One line `[code] what, where, what to do` on stderr; the stack and its causes only for --debug. */
function reportFailure(thrown: unknown, { io, interrupt, debug }: FailureScope): ExitCode {
  if (thrown instanceof CommanderError) {
    return thrown.exitCode === 0 ? EXIT_CODES.ok : EXIT_CODES.usage; // commander has printed it
  }
  const error = StagecraftError.from(thrown);
  io.err.write(`${error.message}\n`);
  if (debug) io.err.write(`${describeCauses(thrown)}\n`);
  else if (error.code === "internal") io.err.write("(add --debug for the stack trace)\n");
  if (isCancelled(error)) return interrupt.exitCode() ?? EXIT_CODES.interrupted;
  return error instanceof UsageError ? EXIT_CODES.usage : EXIT_CODES.failure;
}

function describeCauses(thrown: unknown): string {
  const parts: string[] = [];
  for (let error = thrown; error instanceof Error; error = error.cause) {
    parts.push(error.stack ?? error.message);
  }
  return parts.join("\ncaused by: ");
}

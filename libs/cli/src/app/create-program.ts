import { Command } from "commander";
import { COMMANDS } from "../commands/registry.js";
import type { CommandScope } from "./command.js";

const EXIT_CODE_HELP = `
Exit codes:
  0  done               2  wrong usage or configuration   130  stopped by Ctrl-C
  1  failed             3  ran, but missed its bar        143  stopped by SIGTERM

Every command explains itself: stagecraft COMMAND --help`;

/** The command line with every command; only the one that is called has its flags and its action. */
export async function createProgram(
  argv: readonly string[],
  scope: CommandScope,
): Promise<Command> {
  const program = new Command("stagecraft")
    .description("Train a ChatGPT-style assistant from scratch, stage by stage, and talk to it.")
    .version("0.1.0")
    .option("--debug", "print stack traces of errors")
    .addHelpText("after", EXIT_CODE_HELP);
  const called = argv.find((argument) => !argument.startsWith("-"));
  for (const entry of COMMANDS) {
    const command = program.command(entry.name).description(entry.summary);
    if (entry.name === called) (await entry.load())(command, scope);
  }
  applyToAll(program, (command) =>
    command
      .exitOverride()
      .showHelpAfterError("(add --help for the flags and examples)")
      .configureOutput({
        writeOut: (text) => void scope.io.out.write(text),
        writeErr: (text) => void scope.io.err.write(text),
        getOutHelpWidth: () => Math.min(scope.io.columns(), 110),
        outputError: (text, write) => write(text.replace(/^error: /, "[invalid_argument] ")),
      }),
  );
  return program;
}

/** Changes a command and all below it. */
export function applyToAll(command: Command, change: (command: Command) => void): void {
  change(command);
  for (const child of command.commands) applyToAll(child, change);
}

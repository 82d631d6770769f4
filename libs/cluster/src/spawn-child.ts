import { spawn, type ChildProcess } from "node:child_process";
import { closeSync, openSync } from "node:fs";
import type { Invocation } from "./programs.js";

/** How a child hears that this process is gone. */
export type Lifeline = "ipc" | "stdin";

/** A process that was started. */
export interface Child {
  readonly pid: number;
  /** Code or signal; a description when it could not be started at all. */
  readonly exited: Promise<string>;
  kill(signal: NodeJS.Signals): void;
}

/**
 * Starts a program with both outputs appended to a file, in a process group of its own (a Ctrl-C is
 * for the supervisor alone), which ends when this process does.
 */
export function spawnChild(
  { program, args }: Invocation,
  { logFile, lifeline }: { logFile: string; lifeline: Lifeline },
): Child {
  const log = openSync(logFile, "a", 0o600);
  const child =
    lifeline === "ipc"
      ? spawn(program, args, { detached: true, stdio: ["ignore", log, log, "ipc"] })
      : spawn("sh", ["-c", UNTIL_STDIN_CLOSES, "sh", program, ...args], {
          detached: true,
          stdio: ["pipe", log, log],
        });
  closeSync(log); // the child has its own copy
  child.stdin?.on("error", () => undefined);
  const exited = new Promise<string>((resolve) => {
    child.once("exit", (code, signal) => {
      child.stdin?.end("over\n");
      resolve(signal ?? `exit code ${code ?? "unknown"}`);
    });
    child.once("error", (error) => resolve(`cannot start ${program}: ${error.message}`));
  });
  return { pid: child.pid ?? -1, exited, kill: (signal) => killQuietly(child, signal) };
}

/**
 * A program that knows nothing of us keeps its process id (`exec`); beside it a subshell waits for the
 * end of our pipe: a line means that the program has ended, no line that we have.
 */
const UNTIL_STDIN_CLOSES =
  'exec 3<&0 </dev/null; (read -r _ <&3 || kill -TERM $$) & exec 3<&-; exec "$@"';

function killQuietly(child: ChildProcess, signal: NodeJS.Signals): void {
  if (child.exitCode === null && child.signalCode === null) child.kill(signal);
}

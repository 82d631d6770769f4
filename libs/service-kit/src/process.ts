import { StagecraftError, terminalText } from "@stagecraft/core";

/** Resolves at the first SIGTERM or SIGINT; a second one ends the process at once. */
export function terminationSignal(): Promise<string> {
  return new Promise((resolve) => {
    for (const name of ["SIGTERM", "SIGINT"] as const) {
      process.once(name, () => {
        process.once(name, () => process.exit(130));
        resolve(name);
      });
    }
  });
}

/** A signal that fires, as `cancelled`, when a process is told to end. */
export function abortOn(terminated: Promise<string>): AbortSignal {
  const stop = new AbortController();
  void terminated.then((name) => stop.abort(new StagecraftError("cancelled", name)));
  return stop.signal;
}

/** Runs a main function; a failure is told in one line and ends the process with exit code 1. */
export function runMain(main: () => Promise<void>): void {
  main().then(
    () => process.exit(0),
    (error: unknown) => {
      const message = error instanceof Error ? error.message : String(error);
      process.stderr.write(`${terminalText(message)}\n`);
      process.exit(1);
    },
  );
}

/** Flags that load a module before the program. */
const PRELOADS = ["--import", "--require", "-r"];

/**
 * Of a process's flags those that a thread gets too. Not the rest: V8's are refused for threads, and
 * the conditions of a test runner would make a thread read TypeScript.
 */
export function preloadFlags(execArgv: readonly string[]): string[] {
  return execArgv.flatMap((flag, i) => {
    if (PRELOADS.includes(flag)) return [flag, execArgv[i + 1] ?? ""];
    return PRELOADS.some((name) => flag.startsWith(`${name}=`)) ? [flag] : [];
  });
}

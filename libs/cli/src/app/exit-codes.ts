/** What the shell gets to know; listed in `stagecraft --help` and in the README. */
export const EXIT_CODES = {
  ok: 0,
  /** It ran and failed; stderr says why. */
  failure: 1,
  /** Unknown command or flag, or a configuration with problems; nothing ran. */
  usage: 2,
  /** It ran to its end and its figures miss the bar it was given (check, demo). */
  fellShort: 3,
  /** Ctrl-C (SIGINT); work was saved on the first, not on the second. */
  interrupted: 130,
  /** SIGTERM; work was saved. */
  terminated: 143,
} as const;

export type ExitCode = (typeof EXIT_CODES)[keyof typeof EXIT_CODES];

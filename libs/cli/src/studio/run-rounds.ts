/**
 * Runs rounds one after another, the first always: while `run` says that a round was done to its end and
 * `goesOn` that the next one, which it prepares, shall follow.
 */
export async function runRounds(
  first: number,
  parts: { run(round: number): Promise<boolean>; goesOn(round: number): Promise<boolean> },
): Promise<void> {
  for (let round = first; await parts.run(round); round++) {
    if (!(await parts.goesOn(round + 1))) return;
  }
}

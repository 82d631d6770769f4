interface Counts {
  readonly compiled: number;
  readonly executed: number;
}

/** How many programs each of some steps compiled and ran, one after the other: "1 compiled, 1 run". */
export async function countPrograms(
  counts: () => Counts | undefined,
  steps: readonly (() => unknown)[],
): Promise<string[]> {
  const seen: string[] = [];
  for (const step of steps) {
    const before = counts()!;
    await step();
    const after = counts()!;
    const [compiled, run] = [after.compiled - before.compiled, after.executed - before.executed];
    seen.push(`${compiled} compiled, ${run} run`);
  }
  return seen;
}

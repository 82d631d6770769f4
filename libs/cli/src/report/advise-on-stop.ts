import { isCancelled, StagecraftError } from "@stagecraft/core";
import type { StageReporter } from "@stagecraft/runs";

/** Does the work; when it was stopped on request, and all is saved, says how it can be gone on with. */
export async function adviseOnStop<T>(
  work: () => Promise<T>,
  { reporter, advice }: { reporter: StageReporter; advice: string },
): Promise<T> {
  try {
    return await work();
  } catch (thrown) {
    if (isCancelled(StagecraftError.from(thrown))) reporter.info(advice);
    throw thrown;
  }
}

/** How a command that goes on by itself is called next: without the flags given that start over. */
export function goesOn(startingOver: Readonly<Record<string, boolean>>): string {
  const given = Object.keys(startingOver).filter((flag) => startingOver[flag]);
  const without = given.length === 0 ? "" : `, without ${given.join(" and ")},`;
  return `the same command again${without} goes on where it was`;
}

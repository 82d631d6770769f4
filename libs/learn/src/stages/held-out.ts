import { holdOut, shareProblem } from "@stagecraft/data";
import type { StageReporter } from "@stagecraft/runs";

export interface HoldOutOptions<T> {
  fraction: number;
  /** Records with the same key stay on one side. */
  keyOf(record: T): string;
  /** What the records are called, such as "rankings". */
  what: string;
  reporter: Pick<StageReporter, "warn">;
}

/**
 * Holds a share of the records out by their prompts, and warns of a share far from the one that was
 * asked for. When all would be held out, none is: something has to be left to learn from.
 */
export function holdOutPrompts<T>(
  records: readonly T[],
  { fraction, keyOf, what, reporter }: HoldOutOptions<T>,
): { train: T[]; validation: T[] } {
  const split = holdOut(records, fraction, keyOf);
  const isEmpty = split.train.length === 0;
  const { train, validation } = isEmpty ? { train: [...records], validation: [] } : split;
  const sizes = { fraction, numTrain: train.length, numHeldOut: validation.length, what };
  const problem = shareProblem(sizes);
  if (problem !== undefined) {
    const without = validation.length === 0 ? "; nothing is evaluated" : "";
    reporter.warn(
      `${problem}: there are ${split.numKeys} different prompts, and one prompt stays on one ` +
        `side${without}; give validationData to choose them yourself`,
    );
  }
  return { train, validation };
}

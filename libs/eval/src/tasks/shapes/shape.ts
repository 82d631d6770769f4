import { RecordProblem, type Fields } from "@stagecraft/data";

/** An item of a benchmark, as a model is asked. */
export interface TaskItem {
  /** What is measured by itself too, such as a subject of MMLU. */
  readonly group?: string;
  /** Stands before the worked examples. */
  readonly description?: string;
  readonly question: string;
  /** Follows the question and a space in a worked example. */
  readonly target: string;
  /** Of items answered by choosing: the answers, each after a space, and which is right. */
  readonly choices?: readonly string[];
  readonly gold?: number;
  /**
   * Of items answered in writing: the figures of an answer. A list of several counts each of its parts;
   * an empty one, nothing.
   */
  check?(answer: string): Figures;
}

/** Of one item: numbers from 0 to 1 under each metric's name, of which the mean is reported. */
export type Figures = Readonly<Record<string, readonly number[]>>;

/** A benchmark's file format, and how lm-eval measures with it. */
export interface TaskShape {
  readonly name: string;
  /** Parts of file names that mark the questions, and those of worked examples. */
  readonly questionSplits: readonly string[];
  readonly exampleSplits: readonly string[];
  /** Data sets in one folder are parts of the benchmark, such as its subjects. */
  readonly inParts?: true;
  /** Worked examples before a question. */
  readonly numShots: number;
  /**
   * Which of them: "drawn", by lm-eval's seed; "drawn-others", the same where the item itself may be
   * drawn and is left out; "first" of the item's group.
   */
  readonly examples: "drawn" | "drawn-others" | "first";
  /** Of multiple choice. */
  readonly metrics?: readonly ("acc" | "acc_norm")[];
  /** Of written answers: texts that end one, and how many tokens it may have. */
  readonly stop?: readonly string[];
  readonly maxNewTokens?: number;
  /** Whether a record looks like this format. */
  matches(fields: Fields): boolean;
  /** Throws `RecordProblem` for a malformed record. */
  item(fields: Fields): TaskItem;
}

/** A whole number from 0 up to and without `count`, or a `RecordProblem` that names the field. */
export function indexField(value: unknown, name: string, count: number): number {
  const number = typeof value === "string" && /^\d+$/.test(value) ? Number(value) : value;
  if (Number.isInteger(number) && (number as number) >= 0 && (number as number) < count)
    return number as number;
  throw new RecordProblem(
    `"${name}" must say which of the ${count} answers is right, from 0 to ${count - 1}, not ${JSON.stringify(value) ?? "nothing"}`,
  );
}

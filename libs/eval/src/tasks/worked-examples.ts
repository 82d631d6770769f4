import { StagecraftError } from "@stagecraft/core";
import { pythonRandom } from "./python-random.js";
import type { TaskItem } from "./shapes/shape.js";
import type { TaskFiles } from "./task-files.js";

/** lm-eval's, so that its worked examples are drawn. */
const SEED = 1234;

/** Chooses worked examples, and knows how often the asked record itself was among them. */
export interface WorkedExamples {
  /** Those before an item; never the item itself. Throws `invalid_argument` when there are too few. */
  before(item: TaskItem): readonly TaskItem[];
  /** Items so far that stand among the worked examples too. */
  readonly numShared: number;
}

/** Worked examples of a task as lm-eval chooses them, `count` before each item. */
export function workedExamples(
  { name, shape }: TaskFiles,
  pool: readonly TaskItem[],
  count: number,
): WorkedExamples {
  if (count === 0) return { before: () => [], numShared: 0 };
  if (shape.exampleSplits.length === 0) throw wrong(`shots: ${name} has no worked examples; use 0`);
  const groups = new Map<string, TaskItem[]>();
  for (const example of pool) {
    const { group = "" } = example;
    const members = groups.get(group);
    if (members) members.push(example);
    else groups.set(group, [example]);
  }
  const questions = new Set(pool.map(questionOf));
  const random = pythonRandom(SEED);
  const draw = (of: readonly TaskItem[], size: number) =>
    random.sample(of.length, size).map((i) => of[i]!);
  let numShared = 0;
  return {
    get numShared() {
      return numShared;
    },
    before(item) {
      const { group = "" } = item;
      const isShared = questions.has(questionOf(item));
      if (isShared) numShared++;
      const from = groups.get(group) ?? [];
      const isOther = (example: TaskItem) => questionOf(example) !== questionOf(item);
      const others = isShared ? from.filter(isOther) : from;
      if (others.length < count) {
        throw tooFew({ name, shape, group, has: others.length, count, isShared });
      }
      if (shape.examples === "first") return others.slice(0, count);
      if (shape.examples === "drawn" && !isShared) return draw(from, count);
      // One more than asked, as lm-eval draws where the asked record may be among them.
      const drawn = draw(from, Math.min(from.length, count + 1)).filter(isOther);
      return drawn.length < count ? draw(others, count) : drawn.slice(0, count);
    },
  };
}

/** What makes two records the same: what is asked, whatever answer either calls right. */
const questionOf = ({ group, question, choices }: TaskItem) =>
  JSON.stringify([group, question, choices]);

interface Shortage extends Pick<TaskFiles, "name" | "shape"> {
  readonly group: string;
  readonly has: number;
  readonly count: number;
  readonly isShared: boolean;
}

function tooFew({ name, shape, group, has, count, isShared }: Shortage): StagecraftError {
  const what = group === "" ? name : `${name}, ${group},`;
  const besides = isShared ? " besides the question itself" : "";
  return wrong(
    `shots: ${what} has ${has} worked examples${besides} for ${count}; put the split ${shape.exampleSplits.join(" or ")} beside its file, name it with examples (${name}=PATH), or set fewer shots`,
  );
}

const wrong = (reason: string) =>
  new StagecraftError("invalid_argument", reason, { details: { field: "tasks" } });

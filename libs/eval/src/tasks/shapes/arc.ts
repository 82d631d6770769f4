import { has, objectOf, RecordProblem, stringField, stringList } from "@stagecraft/data";
import type { TaskShape } from "./shape.js";

/** ARC [Clark et al. 2018], easy and challenge: questions of school science with three to five answers. */
export const arcShape: TaskShape = {
  name: "arc",
  questionSplits: ["test"],
  exampleSplits: ["train"],
  numShots: 0,
  examples: "drawn",
  metrics: ["acc", "acc_norm"],
  matches: (fields) => has(fields, "answerKey") && has(fields, "choices"),
  item(fields) {
    const { text, label } = objectOf(fields["choices"], "choices");
    const choices = stringList(text, "choices.text");
    const labels = stringList(label, "choices.label");
    const key = stringField(fields, "answerKey");
    const gold = labels.indexOf(key);
    if (gold < 0 || gold >= choices.length) {
      throw new RecordProblem(`"answerKey" is none of the labels in "choices"`);
    }
    const question = `Question: ${stringField(fields, "question")}\nAnswer:`;
    return { question, target: choices[gold]!, choices, gold };
  },
};

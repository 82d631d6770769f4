import { has, RecordProblem, stringField, stringList } from "@stagecraft/data";
import { strip } from "./python-text.js";
import { indexField, type TaskShape } from "./shape.js";

const LETTERS = ["A", "B", "C", "D"];

/** MMLU [Hendrycks et al. 2021]: four answers each, 57 subjects, answered by their letter. */
export const mmluShape: TaskShape = {
  name: "mmlu",
  questionSplits: ["test"],
  exampleSplits: ["dev"],
  inParts: true,
  numShots: 0,
  examples: "first",
  metrics: ["acc"],
  matches: (fields) => has(fields, "subject") && Array.isArray(fields["choices"]),
  item(fields) {
    const texts = stringList(fields["choices"], "choices");
    if (texts.length !== LETTERS.length) {
      throw new RecordProblem(`"choices" must have 4 answers, not ${texts.length}`);
    }
    const group = stringField(fields, "subject");
    const lines = texts.map((text, i) => `${LETTERS[i]}. ${text}`).join("\n");
    const gold = indexField(fields["answer"], "answer", texts.length);
    return {
      group,
      description: `The following are multiple choice questions (with answers) about ${group.replaceAll("_", " ")}.\n\n`,
      question: `${strip(stringField(fields, "question"))}\n${lines}\nAnswer:`,
      ...{ target: LETTERS[gold]!, choices: LETTERS, gold },
    };
  },
};

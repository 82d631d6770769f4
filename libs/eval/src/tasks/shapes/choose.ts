import { has, RecordProblem, stringField, stringList } from "@stagecraft/data";
import { indexField, type TaskShape } from "./shape.js";

/** A task of one's own: `{question, choices, answer}`, the answer by its place from 0 or by its text. */
export const chooseShape: TaskShape = {
  name: "choose",
  questionSplits: ["test"],
  exampleSplits: ["train"],
  numShots: 0,
  examples: "drawn",
  metrics: ["acc", "acc_norm"],
  matches: (fields) => has(fields, "question") && Array.isArray(fields["choices"]),
  item(fields) {
    const choices = stringList(fields["choices"], "choices");
    if (choices.length < 2) throw new RecordProblem(`"choices" must have two answers or more`);
    const { answer } = fields;
    const place = typeof answer === "string" ? choices.indexOf(answer) : -1;
    const gold = place >= 0 ? place : indexField(answer, "answer", choices.length);
    return { question: stringField(fields, "question"), target: choices[gold]!, choices, gold };
  },
};

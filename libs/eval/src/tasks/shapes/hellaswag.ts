import { has, stringField, stringList } from "@stagecraft/data";
import { strip } from "./python-text.js";
import { indexField, type TaskShape } from "./shape.js";

/** HellaSwag [Zellers et al. 2019]: which of four endings continues a text. */
export const hellaswagShape: TaskShape = {
  name: "hellaswag",
  questionSplits: ["validation", "val"],
  exampleSplits: ["train"],
  numShots: 0,
  examples: "drawn-others",
  metrics: ["acc", "acc_norm"],
  matches: (fields) => has(fields, "endings") && has(fields, "ctx_a"),
  item(fields) {
    const context = `${stringField(fields, "ctx_a")} ${capitalized(stringField(fields, "ctx_b"))}`;
    const choices = stringList(fields["endings"], "endings").map(withoutArtifacts);
    const gold = indexField(fields["label"], "label", choices.length);
    const question = withoutArtifacts(`${stringField(fields, "activity_label")}: ${context}`);
    return { question, target: choices[gold]!, choices, gold };
  },
};

/** As Python's `str.capitalize()`: the first letter large, all others small. */
function capitalized(text: string): string {
  const [first = "", ...rest] = text;
  return first.toUpperCase() + rest.join("").toLowerCase();
}

/** Without the brackets that WikiHow leaves. */
function withoutArtifacts(text: string): string {
  return strip(text)
    .replaceAll(" [title]", ". ")
    .replace(/\[[^\n]*?\]/g, "")
    .replaceAll("  ", " ");
}

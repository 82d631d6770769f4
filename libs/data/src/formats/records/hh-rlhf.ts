import { RecordProblem } from "../../bad-records.js";
import { has, stringField, type Fields } from "./fields.js";
import { rankingOf, type Comparison } from "./pairs.js";
import { promptRecord } from "./prompt.js";
import type { RecordFormat } from "./record-format.js";
import { isTranscript, transcriptMessages } from "./transcript.js";

/** `{chosen, rejected}`, two transcripts with the same turns but for the last answer: HH-RLHF. */
export const hhRlhfFormat: RecordFormat = {
  name: "hh-rlhf",
  matches: (fields) =>
    !has(fields, "prompt") && isTranscript(fields["chosen"]) && isTranscript(fields["rejected"]),
  rankings: (fields) => [rankingOf(fields, comparisonOf(fields))],
  prompts: (fields, id) => [promptRecord(fields, id, comparisonOf(fields).prompt)],
};

function comparisonOf(fields: Fields): Comparison {
  const [chosen, rejected] = ["chosen", "rejected"].map((name) => {
    const messages = transcriptMessages(stringField(fields, name), name);
    const last = messages.pop();
    if (last?.role === "assistant") return { before: messages, text: last.content };
    throw new RecordProblem(`"${name}" must end with a turn of the assistant`);
  });
  if (JSON.stringify(chosen!.before) !== JSON.stringify(rejected!.before)) {
    throw new RecordProblem(`"chosen" and "rejected" differ in more than their last turn`);
  }
  return { prompt: chosen!.before, chosen: chosen!.text, rejected: rejected!.text };
}

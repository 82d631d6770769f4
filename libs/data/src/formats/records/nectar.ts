import { RecordProblem } from "../../bad-records.js";
import type { Message } from "@stagecraft/tokenizer";
import { has, labelsOf, objectOf, promptMessages, stringField, type Fields } from "./fields.js";
import { promptRecord } from "./prompt.js";
import { parseRanking } from "./ranking.js";
import type { RecordFormat } from "./record-format.js";
import { isTranscript, transcriptMessages } from "./transcript.js";

/** `{prompt, answers: [{answer, rank}, …]}`, the prompt often a transcript that ends with "Assistant:". */
export const nectarFormat: RecordFormat = {
  name: "nectar",
  matches(fields) {
    const { answers } = fields;
    if (!has(fields, "prompt") || !Array.isArray(answers)) return false;
    return answers.some((answer) => typeof answer === "object" && answer !== null);
  },
  rankings(fields) {
    const answers = (fields["answers"] as unknown[]).map((value, i) =>
      objectOf(value, `answers[${i}]`),
    );
    return [
      parseRanking({
        ...labelsOf(fields),
        prompt: promptOf(fields),
        answers: answers.map((answer) => stringField(answer, "answer")),
        ranks: answers.map((answer) => answer["rank"]),
      }),
    ];
  },
  prompts: (fields, id) => [promptRecord(fields, id, promptOf(fields))],
};

function promptOf(fields: Fields): Message[] {
  const { prompt } = fields;
  if (!isTranscript(prompt)) return promptMessages(prompt, "prompt");
  const messages = transcriptMessages(prompt, "prompt");
  const last = messages.at(-1)!;
  if (last.role === "user") return messages;
  if (last.content.trim() === "") return messages.slice(0, -1);
  throw new RecordProblem(`"prompt" ends with an answer`);
}

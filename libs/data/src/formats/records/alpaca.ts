import type { Message } from "@stagecraft/tokenizer";
import { RecordProblem } from "../../bad-records.js";
import { labelsOf, optionalString, stringField, type Fields } from "./fields.js";
import type { RecordFormat } from "./record-format.js";

/** `{instruction, input?, output, system?}`: Alpaca's records. */
export const alpacaFormat: RecordFormat = {
  name: "alpaca",
  matches: (fields) => fields["instruction"] !== undefined,
  conversations(fields) {
    const system = optionalString(fields, "system");
    const opening: Message[] = system ? [{ role: "system", content: system }] : [];
    return [{ ...labelsOf(fields), messages: [...opening, ...instructionTurn(fields, fields)] }];
  },
};

/** The user's turn is the instruction, a blank line and the input, when there is one. */
export function instructionTurn(task: Fields, instance: Fields): Message[] {
  const instruction = stringField(task, "instruction");
  const input = optionalString(instance, "input") ?? "";
  const output = stringField(instance, "output");
  if (instruction.trim() === "") throw new RecordProblem(`"instruction" is empty`);
  if (output.trim() === "") throw new RecordProblem(`"output" is empty`);
  const content = input === "" ? instruction : `${instruction}\n\n${input}`;
  return [
    { role: "user", content },
    { role: "assistant", content: output },
  ];
}

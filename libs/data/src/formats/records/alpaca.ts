import type { Message } from "@stagecraft/tokenizer";
import { RecordProblem } from "../../bad-records.js";
import { withSystem } from "./conversation.js";
import { has, labelsOf, optionalString, stringField, type Fields } from "./fields.js";
import { promptRecord } from "./prompt.js";
import type { RecordFormat } from "./record-format.js";

/**
 * `{instruction, input?, output, system?, history?}`: Alpaca's records; `history` are earlier turns as
 * pairs of question and answer. As prompts, `output` is the reference.
 */
export const alpacaFormat: RecordFormat = {
  name: "alpaca",
  matches: (fields) => has(fields, "instruction"),
  conversations(fields) {
    const messages = [...historyOf(fields), ...instructionTurn(fields, fields)];
    return [{ ...labelsOf(fields), messages: withSystem(fields, messages) }];
  },
  prompts(fields, id) {
    const messages = [...historyOf(fields), promptOf(fields, fields)];
    const reference = optionalString(fields, "reference") ?? optionalString(fields, "output");
    return [promptRecord({ ...fields, reference }, id, withSystem(fields, messages))];
  },
};

/** The user's turn is the instruction, a blank line and the input, when there is one. */
export function instructionTurn(task: Fields, instance: Fields): Message[] {
  const prompt = promptOf(task, instance);
  const output = stringField(instance, "output");
  if (output.trim() === "") throw new RecordProblem(`"output" is empty`);
  return [prompt, { role: "assistant", content: output }];
}

function promptOf(task: Fields, instance: Fields): Message {
  const instruction = stringField(task, "instruction");
  const input = optionalString(instance, "input") ?? "";
  if (instruction.trim() === "") throw new RecordProblem(`"instruction" is empty`);
  return { role: "user", content: input === "" ? instruction : `${instruction}\n\n${input}` };
}

function historyOf(fields: Fields): Message[] {
  const { history } = fields;
  if (!has(fields, "history")) return [];
  if (!Array.isArray(history) || !history.every(isTurn)) {
    throw new RecordProblem(`"history" must be a list of pairs of question and answer`);
  }
  return history.flatMap(([question, answer]): Message[] => [
    { role: "user", content: question },
    { role: "assistant", content: answer },
  ]);
}

function isTurn(value: unknown): value is [string, string] {
  return (
    Array.isArray(value) && value.length === 2 && value.every((text) => typeof text === "string")
  );
}
